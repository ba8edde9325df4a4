//! What of a sidecar's settings is unwise.

use super::Config;
use super::check::is_loopback;
use super::lint::Finding;
use super::origin::Origin;
use super::sidecar::{SealFor, SidecarSeal};

pub(super) fn lint_sidecar(config: &Config, findings: &mut Vec<Finding>) {
    let mut found = |code, path: &str, message: &str, fix: &str| {
        let place = config.places.of(path).clone();
        findings.push(Finding { code, place, route: None, message: message.to_owned(), fix: fix.to_owned() });
    };
    if config.sidecar.as_ref().is_some_and(|sidecar| sidecar.allow_remote) {
        found(
            "sidecar-remote",
            "sidecar.allow_remote",
            "allow_remote is on: whoever reaches the sidecar speaks with your signature",
            "listen on loopback, one sidecar beside each sender, and take allow_remote out",
        );
    }
    if let Some((path, recipient, seal)) = fetched(config)
        && recipient.scheme() == "http"
        && !is_this_machine(recipient)
        && !seal.is_pinned()
    {
        found(
            "seal-recipient-clear",
            path,
            "the key to seal for is fetched in the clear: whoever is on the way hands out his own, and reads what is sealed",
            "to = \"https://…\" in [sidecar.seal], or kid = \"…\" there with the key's thumbprint, as its owner tells you",
        );
    }
}

/// What is fine and could be better: not a finding.
pub(super) fn notes(config: &Config) -> Vec<&'static str> {
    let unpinned =
        fetched(config).is_some_and(|(_, recipient, seal)| recipient.scheme() == "https" && !seal.is_pinned());
    let note = "whoever ends TLS in front of the gateway can hand out a key of his own to seal for: kid in [sidecar.seal], with the \
                thumbprint that the owner of the gateway tells you, takes no other";
    if unpinned { vec![note] } else { Vec::new() }
}

/// Who is asked for the key to seal for, and where that stands.
fn fetched(config: &Config) -> Option<(&'static str, &Origin, &SidecarSeal)> {
    let sidecar = config.sidecar.as_ref()?;
    let seal = sidecar.seal.as_ref()?;
    match &seal.to {
        SealFor::Destination => Some(("sidecar.to", sidecar.to.as_ref()?, seal)),
        SealFor::Published(origin) => Some(("sidecar.seal.to", origin, seal)),
        SealFor::File(_) => None,
    }
}

fn is_this_machine(origin: &Origin) -> bool {
    origin.host() == "localhost" || origin.address().is_some_and(|address| is_loopback(&address))
}
