//! For whom fields are sealed: keys in files, or as their owner publishes them. Recipients rotate their keys; a new one is noticed.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwapOption;
use bytes::Bytes;
use countersign::{Origin, SealingKey, Unavailable};
use countersign_proxy::{Client, Limits, SidecarSeal, SidecarSettings};
use http::{HeaderValue, Request, header};

use super::certificate_file::CertificateFile;
use crate::config::{self, SealFor};
use crate::exit::Failure;
use crate::{file, output, wire};

/// The key that is sealed for, and where it comes from.
pub(super) struct Recipient {
    source: Source,
    kid: Option<String>,
    present: Arc<ArcSwapOption<SealingKey>>,
    /// What was last told of it, so that it is told once.
    failure: Option<String>,
}

enum Source {
    Files(PathBuf),
    Published(Origin, Client),
}

impl Recipient {
    /// Looks for the key. Files have to have one at the start. Whoever publishes his may come up after us: until he does,
    /// nothing is sealed, and nothing sent.
    pub(super) async fn find(
        written: &config::SidecarSeal,
        settings: &SidecarSettings,
        certificate: Option<&CertificateFile>,
    ) -> Result<Self, Failure> {
        let published = |origin: Origin| -> Result<Source, Failure> {
            let limits = Limits { response_time: PATIENCE, ..Limits::default() };
            let client = Client::new(&origin, limits).map_err(Failure::usage)?;
            Ok(Source::Published(
                origin,
                match certificate {
                    Some(certificate) => client.showing(certificate.present()),
                    None => client,
                },
            ))
        };
        let source = match &written.to {
            SealFor::Destination => published(settings.to.clone())?,
            SealFor::Published(origin) => published(wire::origin(origin)?)?,
            SealFor::File(path) => Source::Files(path.clone()),
        };
        let mut found = Self { source, kid: written.kid.clone(), present: Arc::default(), failure: None };
        match (found.look().await, &found.source) {
            (Err(failure), Source::Files(_)) => return Err(failure),
            (looked, _) => found.take(looked),
        }
        Ok(found)
    }

    /// What the sidecar is told.
    pub(super) fn sealing(&self, written: &config::SidecarSeal) -> Result<SidecarSeal, Failure> {
        let pointers = |of: &[String]| {
            of.iter().map(|field| field.parse().map_err(Failure::usage)).collect::<Result<_, Failure>>()
        };
        let (present, of) = (Arc::clone(&self.present), self.source.to_string());
        let to = move || {
            present
                .load_full()
                .ok_or_else(|| Unavailable::new("recipient", format!("{of} has told no key to seal for")))
        };
        Ok(SidecarSeal {
            fields: pointers(&written.fields)?,
            if_present: pointers(&written.if_present)?,
            to: Arc::new(to),
            partner: written.partner.clone(),
            lifetime: Some(written.expires),
        })
    }

    /// Whose key it is, for the operator.
    pub(super) fn told(&self) -> String {
        match &*self.present.load() {
            Some(key) => format!("{} of {}", key.id(), self.source),
            None => format!("{}, which has told no key yet", self.source),
        }
    }

    /// Looks again for ever.
    pub(super) async fn watch(mut self) {
        let every = match self.source {
            Source::Files(_) => Duration::from_secs(1),
            Source::Published(..) => Duration::from_secs(10),
        };
        loop {
            tokio::time::sleep(every).await;
            let looked = self.look().await;
            self.take(looked);
        }
    }

    async fn look(&self) -> Result<SealingKey, Failure> {
        let keys = match &self.source {
            Source::Files(path) => in_files(path)?,
            Source::Published(origin, client) => published(origin, client).await?,
        };
        let wanted = |key: &SealingKey| self.kid.as_deref().is_none_or(|kid| is(kid, key));
        let which = self.kid.as_deref().map_or_else(String::new, |kid| format!(" called {kid}"));
        keys.into_iter().find(wanted).ok_or_else(|| {
            Failure::usage(format!("{} has no key to seal for{which}", self.source))
                .hint("a gateway with [seal] publishes its own at /.well-known/jwks.json")
        })
    }

    /// The last good one stays.
    fn take(&mut self, looked: Result<SealingKey, Failure>) {
        match looked {
            Ok(key) => {
                let former = self.present.load_full();
                if former.as_ref().is_none_or(|former| former.thumbprint() != key.thumbprint()) {
                    if former.is_some() {
                        output::note!("sealing for the new key {} of {}", key.id(), self.source);
                    }
                    self.present.store(Some(Arc::new(key)));
                }
                self.failure = None;
            }
            Err(failure) if self.failure.as_ref() != Some(&failure.message) => {
                let on =
                    if self.present.load().is_some() { "sealing on for the key before" } else { "nothing is sent" };
                output::warning(format!("{}; {on}", failure.message), &[]);
                self.failure = Some(failure.message);
            }
            Err(_) => {}
        }
    }
}

impl std::fmt::Display for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Files(path) => write!(f, "{}", path.display()),
            Self::Published(origin, _) => write!(f, "{}://{}", origin.scheme(), origin.authority()),
        }
    }
}

/// Anybody can call a key anything. A name of the form of a thumbprint is one, and is held against the key itself.
fn is(kid: &str, key: &SealingKey) -> bool {
    kid == key.id() && (!config::is_thumbprint(kid) || kid == key.thumbprint())
}

/// Of a directory, the file whose name is the last one is the current: `seal-2026.pub` before `seal-2025.pub`.
fn in_files(path: &Path) -> Result<Vec<SealingKey>, Failure> {
    let unreadable =
        |fault: std::io::Error| Failure::usage(format!("{}: {}", path.display(), crate::exit::words(&fault)));
    if !path.is_dir() {
        return file::sealing_keys(path);
    }
    let mut names = Vec::new();
    for entry in std::fs::read_dir(path).map_err(unreadable)? {
        let name = entry.map_err(unreadable)?.path();
        // What an editor or a copy in progress leaves begins with a dot.
        let hidden = name.file_name().is_none_or(|name| name.as_encoded_bytes().starts_with(b"."));
        if !hidden && name.is_file() {
            names.push(name);
        }
    }
    names.sort();
    let mut keys = Vec::new();
    for name in names.iter().rev() {
        keys.extend(file::sealing_keys(name)?);
    }
    Ok(keys)
}

/// As RFC 7517 §5 and the well-known URI of our gateways have it. Nothing is followed.
async fn published(origin: &Origin, client: &Client) -> Result<Vec<SealingKey>, Failure> {
    let of = format!("{}://{}{JWKS}", origin.scheme(), origin.authority());
    let told = |what: &dyn std::fmt::Display| Failure::ours(format!("{of}: {what}"));
    let mut request = Request::new(Bytes::new());
    *request.uri_mut() = http::Uri::from_static(JWKS);
    let host = HeaderValue::from_str(origin.authority()).map_err(|fault| told(&fault))?;
    request.headers_mut().insert(header::HOST, host);
    let answer = async {
        let answer = client.send(request).await.map_err(|fault| told(&fault))?;
        if answer.status() != http::StatusCode::OK {
            return Err(told(&format_args!("answers {}", answer.status().as_u16())));
        }
        let (mut body, mut whole) = (answer.into_body(), Vec::new());
        while let Some(part) = body.next().await.map_err(|fault| told(&fault))? {
            if whole.len() + part.len() > LARGEST {
                return Err(told(&"is longer than any set of keys"));
            }
            whole.extend_from_slice(&part);
        }
        Ok(whole)
    };
    let set = tokio::time::timeout(PATIENCE, answer).await.map_err(|_| told(&"does not answer in time"))??;
    SealingKey::from_set(&set).map_err(|fault| told(&fault))
}

const JWKS: &str = "/.well-known/jwks.json";
const PATIENCE: Duration = Duration::from_secs(5);
const LARGEST: usize = 256 << 10;

#[cfg(test)]
mod tests {
    use countersign::{Algorithm, SigningKey};

    use super::*;

    #[test]
    fn a_key_that_is_called_by_the_thumbprint_of_another_is_not_taken_for_it() {
        let made = || {
            let pair = SigningKey::generate(Algorithm::EcdsaP256Sha256, 0).unwrap();
            SealingKey::from_file(pair.public.as_bytes()).unwrap()
        };
        let (genuine, other) = (made(), made());
        assert!(is(genuine.id(), &genuine) && !is(genuine.id(), &other));
        let called = |kid: &str| SealingKey::from_file(other.jwk().replace(other.id(), kid).as_bytes()).unwrap();
        let impostor = called(genuine.id());
        assert_eq!(impostor.id(), genuine.id());
        assert!(!is(genuine.id(), &impostor));
        assert!(is("seal-2026", &called("seal-2026")), "a name that is none is a name");
    }
}
