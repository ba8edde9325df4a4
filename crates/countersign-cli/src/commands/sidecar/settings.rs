//! What flags and a `[sidecar]` section say, together.

use std::path::{Path, PathBuf};

use countersign::{Algorithm, Form, Scheme};
use countersign_proxy::{Address, Allow, Limits, SidecarSettings};

use super::Args;
use crate::config;
use crate::exit::Failure;
use crate::output;
use crate::place::ConfigFile;
use crate::wire;

pub(super) struct Understood {
    pub(super) settings: SidecarSettings,
    pub(super) key: PathBuf,
    pub(super) algorithm: Option<Algorithm>,
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
    let to = match (args.to, written.and_then(|it| it.to.as_ref())) {
        (Some(to), _) => to,
        (None, Some(to)) => wire::origin(to)?,
        (None, None) => return Err(missing("to", "https://api.example.com")),
    };
    let allow = match (args.allow.is_empty(), written) {
        (true, Some(written)) => written.allow.iter().map(allowed).collect::<Result<_, _>>()?,
        _ => args.allow,
    };
    let key = args.key.or_else(|| written.and_then(|it| it.key.clone())).ok_or_else(|| missing("key", "sender.pem"))?;
    let id = args.id.or_else(|| written.and_then(|it| it.id.clone())).ok_or_else(|| missing("id", "sender-1"))?;
    let listen = args.listen.or_else(|| written.and_then(|it| it.listen.clone()));
    let listen = listen.ok_or_else(|| missing("listen", "127.0.0.1:8081"))?;
    let form = Form { app_hmac: args.form.form(scheme)?, ..Form::new(scheme, &id) };
    let allow_remote = args.allow_remote || written.is_some_and(|it| it.allow_remote);
    let limits = Limits::default();
    let settings = SidecarSettings { listen, allow_remote, to, form, allow, max_body: args.max_body, limits };
    Ok(Understood { settings, key, algorithm })
}

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

fn missing(name: &str, example: &str) -> Failure {
    Failure::usage(format!("--{name} is missing")).hint(format!("--{name} {example}, or {name} in a [sidecar] section"))
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

/// `10MiB`.
pub(super) fn size(text: &str) -> Result<u64, String> {
    config::size(text).ok_or_else(|| "write it as a number and B, KiB, MiB or GiB: 10MiB".to_owned())
}
