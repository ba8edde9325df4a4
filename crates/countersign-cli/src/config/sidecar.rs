use std::path::PathBuf;
use std::time::Duration;

use countersign_proxy::Address;

use super::document::Node;
use super::forms::{self, Wrong, pointer};
use super::names::{Algorithm, Http, Layout, NonceForm, Scheme, Unit};
use super::origin::{Origin, origin};
use super::route_path::route_path;
use super::section::Section;
use super::units;

/// `[sidecar]`: what `countersign sidecar` signs and where it sends it. Everything may be absent, since flags of the same
/// names override it.
#[derive(Clone, Debug)]
pub struct Sidecar {
    /// Where the sender reaches it. Beyond loopback only with [`Self::allow_remote`].
    pub listen: Option<Address>,
    /// Where it forwards to; its authority becomes the `Host`.
    pub to: Option<Origin>,
    /// The private key or secret.
    pub key: Option<PathBuf>,
    /// The key's id.
    pub id: Option<String>,
    /// How it signs; `http-message-signatures`.
    pub scheme: Scheme,
    /// With what; `None`: what the key is for.
    pub algorithm: Option<Algorithm>,
    /// Which HTTP is spoken to [`Self::to`]; `auto`.
    pub http: Http,
    /// The largest body that it signs, in bytes; 10 MiB.
    pub max_body: Option<u64>,
    /// Of `app-hmac`: what the key's messages look like.
    pub timestamp_unit: Option<Unit>,
    /// As above.
    pub nonce_form: Option<NonceForm>,
    /// As above.
    pub layout: Option<Layout>,
    /// The permissions of a Unix socket; 0600.
    pub socket_mode: Option<u32>,
    /// The group of a Unix socket, by name or number; that of the process.
    pub socket_group: Option<String>,
    /// Whether others than this machine may borrow the signature; false.
    pub allow_remote: bool,
    /// What it signs; empty (the default): everything.
    pub allow: Vec<Allow>,
    /// `[sidecar.seal]`, or `seal = ["/card/number"]`: fields that it seals before it signs.
    pub seal: Option<SidecarSeal>,
    /// Whether a response without a valid signature of the gateway is refused; false.
    pub verify_responses: bool,
    /// Chain and private key of the TLS client, one PEM file.
    pub client_certificate: Option<PathBuf>,
}

/// One entry of `allow`: `"POST /orders"`, or `"/orders"` for every method. Takes what is below the path, too.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Allow {
    /// `None`: every method.
    pub method: Option<String>,
    /// Whole segments, as in a route.
    pub path: String,
}

/// `[sidecar.seal]`.
#[derive(Clone, Debug)]
pub struct SidecarSeal {
    /// JSON pointers of the fields that every body has, or is not sent.
    pub fields: Vec<String>,
    /// JSON pointers of those that may be absent.
    pub if_present: Vec<String>,
    /// For whom; whoever we forward to.
    pub to: SealFor,
    /// Which of several keys; the current one.
    pub kid: Option<String>,
    /// The name under which the gateway knows us; `partner` of `[sidecar]`.
    pub partner: String,
    /// How long what was sealed opens; 10 minutes.
    pub expires: Duration,
}

/// Where a recipient's public keys are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SealFor {
    /// `/.well-known/jwks.json` of what the sidecar forwards to.
    Destination,
    /// The same of another host.
    Published(Origin),
    /// A key (PEM, DER or JWK), a JWK set, or a directory of such.
    File(PathBuf),
}

impl Sidecar {
    pub(super) fn read(section: &mut Section<'_>) -> Self {
        let partner = section.value("partner", forms::name);
        Self {
            listen: section.value("listen", listen),
            to: section.value("to", origin),
            key: section.path("key"),
            id: section.value("id", forms::printable),
            scheme: section.value("scheme", forms::named).unwrap_or(Scheme::HttpMessageSignatures),
            algorithm: section.value("algorithm", forms::named),
            http: section.value("http", forms::named).unwrap_or(Http::Auto),
            max_body: section.size("max_body", 1..=1 << 30),
            timestamp_unit: section.value("timestamp_unit", forms::named),
            nonce_form: section.value("nonce_form", forms::named),
            layout: section.value("layout", forms::named),
            socket_mode: section.value("socket_mode", mode),
            socket_group: section.value("socket_group", forms::text),
            allow_remote: section.value("allow_remote", forms::flag).unwrap_or(false),
            allow: section.list("allow", allow).unwrap_or_default(),
            seal: if section.is_list("seal", "fields") {
                SidecarSeal::read_list(section, partner)
            } else {
                section.optional("seal", |section| SidecarSeal::read(section, partner)).flatten()
            },
            verify_responses: section.value("verify_responses", forms::flag).unwrap_or(false),
            client_certificate: section.path("client_certificate"),
        }
    }
}

impl SidecarSeal {
    /// `seal = ["/card/number"]`: everything else as it is where nobody says.
    fn read_list(section: &mut Section<'_>, partner: Option<String>) -> Option<Self> {
        let fields = section.list("seal", pointer)?;
        if partner.is_none() {
            section.lacks("partner", PARTNER);
        }
        let (to, if_present) = (SealFor::Destination, Vec::new());
        Some(Self { fields, if_present, to, kid: None, partner: partner?, expires: EXPIRES })
    }

    fn read(section: &mut Section<'_>, partner: Option<String>) -> Option<Self> {
        let to = match section.value("to", recipient) {
            Some(SealFor::File(path)) => SealFor::File(section.resolve(&path)),
            to => to.unwrap_or(SealFor::Destination),
        };
        let partner = section.value("partner", forms::name).or(partner);
        if partner.is_none() {
            section.lacks("partner", PARTNER);
        }
        let year = Duration::from_hours(365 * 24);
        let expires = section.duration("expires", Duration::from_secs(1)..=year).unwrap_or(EXPIRES);
        Some(Self {
            fields: section.list("fields", pointer).unwrap_or_default(),
            if_present: section.list("if_present", pointer).unwrap_or_default(),
            to,
            kid: section.value("kid", forms::printable),
            partner: partner?,
            expires,
        })
    }

    /// Whether no other key passes for the one that is meant, whoever hands it out.
    #[must_use]
    pub fn is_pinned(&self) -> bool {
        self.kid.as_deref().is_some_and(is_thumbprint)
    }
}

/// Whether a `kid` has the form of an RFC 7638 thumbprint: SHA-256 in base64url. Then it is held against the key itself.
#[must_use]
pub fn is_thumbprint(kid: &str) -> bool {
    kid.len() == 43 && kid.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
}

const EXPIRES: Duration = Duration::from_mins(10);
const PARTNER: &str = "partner = \"acme\", with the name under which the gateway knows you: the fields open for that partner alone, and who \
                       runs the gateway sees it in countersign key show";

/// An address and a port, or `unix:` and a path.
fn listen(node: &Node) -> Result<Address, Wrong> {
    match node.as_text().and_then(|text| text.strip_prefix("unix:")) {
        Some("") => Err(Wrong::new("expected a path behind unix:, such as \"unix:/run/sidecar.sock\"")),
        Some(path) => Ok(Address::Unix(path.into())),
        None => forms::address(node).map(Address::Tcp),
    }
}

/// A path, or the URL of a host.
fn recipient(node: &Node) -> Result<SealFor, Wrong> {
    match node.as_text() {
        Some(text) if text.starts_with("http://") || text.starts_with("https://") => {
            origin(node).map(SealFor::Published)
        }
        _ => forms::path(node).map(SealFor::File),
    }
}

/// `"0660"`.
fn mode(node: &Node) -> Result<u32, Wrong> {
    let mode = node.as_text().and_then(units::mode);
    mode.ok_or_else(|| Wrong::new("expected permissions in octal, in quotes, such as \"0660\""))
}

fn allow(node: &Node) -> Result<Allow, Wrong> {
    let wrong = || Wrong::new("expected a path, after a method or none, such as \"POST /orders\"");
    let (method, path) = match node.as_text().ok_or_else(wrong)?.split_once(' ') {
        Some((method, path)) => (Some(method), path),
        None => (None, node.as_text().unwrap_or_default()),
    };
    // RFC 9110 §9.1: "The method token is case-sensitive"; all that are in use are in upper case.
    if method.is_some_and(|method| method.is_empty() || !method.bytes().all(|byte| byte.is_ascii_uppercase())) {
        return Err(wrong());
    }
    let path = route_path(&Node::text(node.place.clone(), path)).map_err(|_| wrong())?;
    Ok(Allow { method: method.map(str::to_owned), path })
}
