use std::path::PathBuf;

use countersign_proxy::Address;

use super::document::Node;
use super::forms::{self, Wrong, pointer};
use super::names::{Algorithm, Scheme};
use super::origin::{Origin, origin};
use super::route_path::route_path;
use super::section::Section;

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
    /// Whether others than this machine may borrow the signature; false.
    pub allow_remote: bool,
    /// What it signs; empty (the default): everything.
    pub allow: Vec<Allow>,
    /// `[sidecar.seal]`: fields that it seals before it signs.
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
    /// JSON pointers of the fields.
    pub fields: Vec<String>,
    /// The gateway's public sealing key, PEM.
    pub to: PathBuf,
    /// The name under which the gateway knows us.
    pub partner: String,
}

impl Sidecar {
    pub(super) fn read(section: &mut Section<'_>) -> Self {
        Self {
            listen: section.value("listen", listen),
            to: section.value("to", origin),
            key: section.path("key"),
            id: section.value("id", forms::printable),
            scheme: section.value("scheme", forms::named).unwrap_or(Scheme::HttpMessageSignatures),
            algorithm: section.value("algorithm", forms::named),
            allow_remote: section.value("allow_remote", forms::flag).unwrap_or(false),
            allow: section.list("allow", allow).unwrap_or_default(),
            seal: section.optional("seal", SidecarSeal::read).flatten(),
            verify_responses: section.value("verify_responses", forms::flag).unwrap_or(false),
            client_certificate: section.path("client_certificate"),
        }
    }
}

impl SidecarSeal {
    fn read(section: &mut Section<'_>) -> Option<Self> {
        let to = section.required_path("to");
        let partner = section.required("partner", forms::name);
        Some(Self { fields: section.list("fields", pointer).unwrap_or_default(), to: to?, partner: partner? })
    }
}

/// An address and a port, or `unix:` and a path.
fn listen(node: &Node) -> Result<Address, Wrong> {
    match node.as_text().and_then(|text| text.strip_prefix("unix:")) {
        Some("") => Err(Wrong::new("expected a path behind unix:, such as \"unix:/run/sidecar.sock\"")),
        Some(path) => Ok(Address::Unix(path.into())),
        None => forms::address(node).map(Address::Tcp),
    }
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
