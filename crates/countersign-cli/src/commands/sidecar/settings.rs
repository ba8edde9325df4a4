//! What flags and a `[sidecar]` section say, together.

use std::path::{Path, PathBuf};

use countersign::{Algorithm, Form, Scheme};
use countersign_proxy::{Address, Allow, Limits, Protocol, SidecarSettings, SocketFile};

use super::{Args, socket};
use crate::config::{self, Http, Layout, NonceForm, Unit};
use crate::exit::Failure;
use crate::output;
use crate::place::ConfigFile;
use crate::wire;

pub(super) struct Understood {
    /// All but what comes out of files.
    pub(super) settings: SidecarSettings,
    pub(super) key: PathBuf,
    pub(super) algorithm: Option<Algorithm>,
    pub(super) client_certificate: Option<PathBuf>,
    /// What it seals, and for whom.
    pub(super) seal: Option<config::SidecarSeal>,
}

/// Flags override the section, and each of the two may leave out what the other has.
pub(super) fn of(args: Args) -> Result<Understood, Failure> {
    let file = args.config.clone().map(ConfigFile::named);
    let written = file.as_ref().map(section).transpose()?;
    let written = written.as_ref();
    let scheme = match (args.scheme, written) {
        (Some(scheme), _) => scheme,
        (None, Some(written)) => wire::known(written.scheme.as_str())?,
        (None, None) => Scheme::HttpMessageSignatures,
    };
    let algorithm = match (args.algorithm, written.and_then(|it| it.algorithm)) {
        (Some(algorithm), _) => Some(algorithm),
        (None, Some(name)) => Some(wire::known(name.as_str())?),
        (None, None) => None,
    };
    let allow = match (args.allow.is_empty(), written) {
        (true, Some(written)) => written.allow.iter().map(allowed).collect::<Result<_, _>>()?,
        _ => args.allow,
    };
    let to = match (args.to, written.and_then(|it| it.to.as_ref())) {
        (Some(to), _) => Some(to),
        (None, Some(to)) => Some(wire::origin(to)?),
        (None, None) => None,
    };
    let key = args.key.or_else(|| written.and_then(|it| it.key.clone()));
    let id = args.id.or_else(|| written.and_then(|it| it.id.clone()));
    let listen = args.listen.or_else(|| written.and_then(|it| it.listen.clone()));
    let absent = [key.is_none(), id.is_none(), listen.is_none(), to.is_none()];
    let (Some(key), Some(id), Some(listen), Some(to)) = (key, id, listen, to) else { return Err(missing(absent)) };
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    if scheme != Scheme::HttpMessageSignatures && !(id.len() <= 64 && id.bytes().all(plain)) {
        return Err(Failure::usage(format!("\"{id}\" is not an id for a key of {scheme}"))
            .hint("an id has 1 to 64 of A-Z a-z 0-9 . _ -"));
    }
    let layout = written.filter(|_| scheme == Scheme::AppHmac).map_or([None; 3], |it| {
        [it.timestamp_unit.map(Unit::as_str), it.nonce_form.map(NonceForm::as_str), it.layout.map(Layout::as_str)]
    });
    let form = Form { app_hmac: args.form.over(layout).form(scheme)?, ..Form::new(scheme, &id) };
    let client_certificate = args.client_certificate.or_else(|| written.and_then(|it| it.client_certificate.clone()));
    if client_certificate.is_some() && to.scheme() != "https" {
        return Err(Failure::usage("a client certificate is shown over TLS only")
            .hint(format!("--to https://{}, or leave the client certificate out", to.authority())));
    }
    let settings = SidecarSettings {
        socket: match &listen {
            Address::Tcp(_) if args.socket_mode.is_some() || args.socket_group.is_some() => return Err(socket::none()),
            Address::Tcp(_) => SocketFile::default(),
            Address::Unix(_) => socket::file(
                args.socket_mode.or_else(|| written.and_then(|it| it.socket_mode)),
                args.socket_group.as_deref().or_else(|| written.and_then(|it| it.socket_group.as_deref())),
            )?,
        },
        allow_remote: args.allow_remote || written.is_some_and(|it| it.allow_remote),
        protocol: match args.http.or_else(|| written.map(|it| it.http)) {
            None | Some(Http::Auto) => Protocol::Agreed,
            Some(Http::One) => Protocol::Http1,
            Some(Http::Two) => Protocol::Http2,
        },
        client_certificate: None,
        seal: None,
        max_body: args.max_body.or_else(|| written.and_then(|it| it.max_body)).unwrap_or(MAX_BODY),
        limits: Limits::default(),
        listen,
        to,
        form,
        allow,
    };
    let seal = written.and_then(|it| it.seal.clone());
    Ok(Understood { settings, key, algorithm, client_certificate, seal })
}

/// The largest body that is signed, where nobody says.
const MAX_BODY: u64 = 10 << 20;

fn section(file: &ConfigFile) -> Result<config::Sidecar, Failure> {
    let (config, warnings) = file.read()?;
    for warning in warnings {
        output::warning(warning.message(), warning.hints());
    }
    config.sidecar.ok_or_else(|| {
        Failure::usage(format!("{} has no [sidecar] section", file.path().display()))
            .hint("write one with key, id, listen and to; or give these as flags, without --config")
    })
}

/// What neither flags nor section say, all at once.
fn missing(absent: [bool; 4]) -> Failure {
    let all = ["--key sender.pem", "--id sender-1", "--listen 127.0.0.1:8081", "--to https://api.example.com"];
    let lacking: Vec<&str> = all.into_iter().zip(absent).filter_map(|(flag, absent)| absent.then_some(flag)).collect();
    let names: Vec<&str> = lacking.iter().filter_map(|flag| flag.split(' ').next()).collect();
    let verb = if names.len() == 1 { "is" } else { "are" };
    Failure::usage(format!("{} {verb} missing", names.join(", ")))
        .hint(format!("{}, or the same names in a [sidecar] section", lacking.join(" ")))
}

fn allowed(entry: &config::Allow) -> Result<Allow, Failure> {
    let method = entry.method.as_deref().map(str::parse).transpose().map_err(Failure::usage)?;
    Ok(Allow { method, path: entry.path.clone() })
}

/// `127.0.0.1:8081` or `unix:/path`.
pub(super) fn address(text: &str) -> Result<Address, String> {
    match text.strip_prefix("unix:") {
        Some(path) if !path.is_empty() => Ok(Address::Unix(Path::new(path).to_owned())),
        Some(_) => Err("write it as unix:/path/to/socket".to_owned()),
        None => text.parse().map(Address::Tcp).map_err(|_| {
            let localhost =
                text.strip_prefix("localhost:").map_or_else(String::new, |port| format!(": 127.0.0.1:{port}"));
            format!("write it as an IP address and a port, or as unix:/path{localhost}")
        }),
    }
}

/// `"POST /orders"` or `"/orders"`.
pub(super) fn allow(text: &str) -> Result<Allow, String> {
    let (method, path) = match text.split_once(' ') {
        Some((method, path)) => (Some(method.parse().map_err(|_| "the method is none".to_owned())?), path),
        None => (None, text),
    };
    if !path.starts_with('/') || path.contains(['?', '#', '%', ';', '\\']) || path.contains("//") {
        return Err("write it as a path, after a method or none: \"POST /orders\"".to_owned());
    }
    Ok(Allow { method, path: path.to_owned() })
}

/// `auto`, `1.1` or `2`.
pub(super) fn http(text: &str) -> Result<Http, String> {
    text.parse().map_err(|_| "write it as auto, 1.1 or 2".to_owned())
}

/// `10MiB`.
pub(super) fn size(text: &str) -> Result<u64, String> {
    config::size(text).ok_or_else(|| "write it as a number and B, KiB, MiB or GiB: 10MiB".to_owned())
}
