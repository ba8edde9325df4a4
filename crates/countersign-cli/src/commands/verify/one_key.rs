//! Verifying with one key from a file, under the usual demands.

use std::path::PathBuf;
use std::sync::Arc;

use countersign::{
    Algorithm, Demands, Head, HttpMessageSignatures, InvalidKey, KeyRecord, KeyState, Keys, Material, Pki, Policy,
    Rejection, Scheme, VerifyingKey,
};

use zeroize::Zeroizing;

use super::{Args, Case, origin};
use crate::arguments::components;
use crate::exit::Failure;
use crate::file;
use crate::message::Message;

/// A key, and the file that it comes from.
pub(super) struct Given {
    path: PathBuf,
    key: Key,
}

enum Key {
    /// The file of a public key, which may say itself what it is for.
    Public(Zeroizing<Vec<u8>>),
    Secret(Material),
}

impl Given {
    fn material(&self, algorithm: Algorithm) -> Result<Material, InvalidKey> {
        match &self.key {
            Key::Public(file) => Material::from_public_file(file, Some(algorithm)),
            Key::Secret(secret) => Ok(secret.clone()),
        }
    }
}

/// Reads the key before stdin, so that a wrong file is told at once.
pub(super) fn material(args: &Args) -> Result<Given, Failure> {
    match (&args.public_key, &args.secret_file) {
        (Some(path), _) => {
            let file = file::read_secret(path)?;
            file::public_key_in(path, &file, args.algorithm)?;
            Ok(Given { path: path.clone(), key: Key::Public(file) })
        }
        (None, Some(path)) => Ok(Given { path: path.clone(), key: Key::Secret(file::shared_secret(path)?) }),
        (None, None) => Err(Failure::usage("no key").hint("--public-key FILE or --secret-file FILE")),
    }
}

pub(super) fn prepare(args: &Args, given: &Given, message: &Message) -> Result<Result<Case, Rejection>, Failure> {
    let keys = Arc::new(keys(args, message, given)?);
    let head = match origin(args, message).and_then(|origin| message.head(origin)) {
        Ok(head) => head,
        Err(malformed) => return Ok(Err(malformed)),
    };
    let policy = Arc::new(policy(args, &head)?);
    Ok(Ok(Case { head, policy, keys, tokens: None }))
}

/// A registry of the one key that was given, under the id that was given or under those that the message names: there is no
/// other key that it could be taken for.
fn keys(args: &Args, message: &Message, given: &Given) -> Result<Keys, Failure> {
    let ids = match &args.id {
        Some(id) => vec![id.clone()],
        None => named_ids(args.scheme, message),
    };
    let form = args.form.form(args.scheme)?;
    let record = |algorithm, id: &str, material: &Material| KeyRecord {
        partner: String::new(),
        partner_active: true,
        id: id.to_owned(),
        version: 1,
        scheme: args.scheme,
        algorithm,
        state: KeyState::Active,
        not_before: None,
        not_after: None,
        form,
        material: material.clone(),
    };
    let algorithms = match &args.algorithm {
        Some(algorithm) => std::slice::from_ref(algorithm),
        None => args.scheme.algorithms(),
    };
    let mut faults = Vec::with_capacity(algorithms.len());
    for &algorithm in algorithms {
        let keys = given.material(algorithm).and_then(|material| {
            ids.iter().map(|id| VerifyingKey::new(record(algorithm, id, &material))).collect::<Result<Vec<_>, _>>()
        });
        match keys {
            Ok(keys) => return Ok(Keys::new(keys)),
            Err(invalid) => faults.push(invalid.to_string()),
        }
    }
    // Of several the one that says more than that the key is of another kind.
    let at = faults.iter().position(|fault| !fault.starts_with("found ")).unwrap_or(0);
    let fault = faults.get(at).cloned().unwrap_or_default();
    Err(Failure::usage(format!("{}: {fault}", given.path.display()))
        .hint("say what the key is for with --scheme S --algorithm A"))
}

/// The key ids that stand in the signature headers. Found by search, not by grammar: an id too many opens nothing, since
/// all of them stand for the one key that was given.
fn named_ids(scheme: Scheme, message: &Message) -> Vec<String> {
    let mut ids = vec![NOBODY.to_owned()];
    match scheme {
        Scheme::HttpMessageSignatures => {
            for value in message.values("signature-input") {
                ids.extend(value.split(";keyid=\"").skip(1).filter_map(string));
            }
        }
        Scheme::Pki => {
            let credentials = message.values("authorization").filter_map(|value| value.strip_prefix("PKI "));
            ids.extend(credentials.filter_map(|value| value.split_once(':')).map(|(id, _)| id.to_owned()));
        }
        Scheme::AppHmac => ids.extend(message.values("appid").map(str::to_owned)),
        Scheme::TrustedSite => {
            let body: Result<serde_json::Value, _> = serde_json::from_slice(message.body());
            ids.extend(body.ok().and_then(|body| body.get("site_id")?.as_str().map(str::to_owned)));
        }
    }
    ids.sort();
    ids.dedup();
    ids
}

/// Stands for the key of a message that names none.
const NOBODY: &str = "-";

/// The rest of a structured-field string behind its opening quote (RFC 9651 §3.3.3).
fn string(rest: &str) -> Option<String> {
    let mut text = String::new();
    let mut letters = rest.chars();
    loop {
        match letters.next()? {
            '"' => return Some(text),
            '\\' => text.push(letters.next()?),
            letter => text.push(letter),
        }
    }
}

fn policy(args: &Args, head: &Head) -> Result<Policy, Failure> {
    let mut demands = Demands {
        schemes: vec![args.scheme],
        max_age: args.max_age.unwrap_or(Demands::default().max_age),
        max_skew: args.max_skew,
        max_body: u64::MAX,
        path: head.path().unwrap_or("/").to_owned(),
        http_message_signatures: HttpMessageSignatures {
            tag: args.tag.clone(),
            nonce_optional: args.nonce.as_deref() == Some("optional"),
            algorithms: Vec::new(),
        },
        pki: Pki { signer: Some(args.id.clone().unwrap_or_else(|| NOBODY.to_owned())), ..Pki::default() },
        ..Demands::default()
    };
    Ok(match args.require.as_deref() {
        None => Policy::new(demands)?,
        Some("none") => {
            demands.require.clear();
            Policy::dangerous_without_coverage(demands)?
        }
        Some(require) => {
            demands.require = components(require);
            Policy::new(demands)?
        }
    })
}
