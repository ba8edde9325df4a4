//! What makes no sense together, or would be less safe than it looks. Each value for itself is fine by now.

use std::net::SocketAddr;

use countersign::Pointer;

use super::Config;
use super::check_route::{check_route, check_routes};
use super::forms::one_of;
use super::issue::Issue;
use super::names::ClientAuth;
use super::sidecar::SidecarSeal;

/// Every fault of a configuration whose values were all read.
pub(super) fn check(config: &Config) -> Vec<Issue> {
    let mut issues = Vec::new();
    listen(config, &mut issues);
    tls(config, &mut issues);
    stores(config, &mut issues);
    sidecar(config, &mut issues);
    check_routes(config, &mut issues);
    for (index, route) in config.routes.iter().enumerate() {
        check_route(config, index, route, &mut issues);
    }
    issues
}

/// A fault at the place of a setting.
pub(super) fn fault(config: &Config, path: &str, text: impl Into<String>) -> Issue {
    Issue::new(config.places.of(path).clone(), text)
}

/// Only this machine reaches a loopback address, also one that is written as IPv6.
pub(super) fn is_loopback(address: &SocketAddr) -> bool {
    address.ip().to_canonical().is_loopback()
}

/// Whether both can't be listened on at once, or one reaches the other.
pub(super) fn meet(one: &SocketAddr, other: &SocketAddr) -> bool {
    let (a, b) = (one.ip().to_canonical(), other.ip().to_canonical());
    one.port() == other.port() && one.port() != 0 && (a == b || a.is_unspecified() || b.is_unspecified())
}

fn listen(config: &Config, issues: &mut Vec<Issue>) {
    let gateway = &config.gateway;
    let at = "gateway.listen";
    if gateway.listen.is_empty() {
        issues.push(fault(config, at, "listen is empty: expected at least one address"));
    }
    let admin = &config.admin.listen;
    if let Some(address) = gateway.listen.iter().find(|address| meet(address, admin)) {
        let text = format!("the gateway listens on {address}, and [admin] on {admin}: they can't share it");
        issues.push(fault(config, at, text));
    }
    if gateway.proxy_protocol && gateway.trusted_proxies.is_empty() {
        let text = "proxy_protocol is on, and trusted_proxies names nobody whose header is believed";
        issues.push(
            fault(config, "gateway.proxy_protocol", text)
                .hint("trusted_proxies = [\"10.0.0.0/8\"] in [gateway] names the networks of your proxies"),
        );
    }
    let Some(open) = gateway.listen.iter().find(|address| !is_loopback(address)) else { return };
    if gateway.tls.is_none() && !gateway.insecure_listen {
        let text = format!("listen has \"{open}\", which is not loopback, and there is no [gateway.tls]");
        issues.push(fault(config, at, text).hint(
            "insecure_listen = true in [gateway] allows plain HTTP there, for a gateway behind something that ends TLS",
        ));
    }
    if gateway.public_url.is_empty() && !gateway.any_authority {
        let text =
            format!("listen has \"{open}\", which is not loopback, and there is no public_url: any Host would do");
        issues.push(
            fault(config, at, text)
                .hint("public_url = [\"https://api.example.com\"] in [gateway] names what callers sign as @authority")
                .hint("any_authority = true in [gateway] takes every Host as it comes"),
        );
    }
}

fn tls(config: &Config, issues: &mut Vec<Issue>) {
    let Some(tls) = &config.gateway.tls else { return };
    if tls.client_ca.is_some() {
        return;
    }
    if tls.client_auth != ClientAuth::Off {
        let text = format!("client_auth = \"{}\" needs client_ca, the authorities to trust", tls.client_auth);
        issues.push(fault(config, "gateway.tls.client_auth", text));
    }
    if tls.crl.is_some() {
        issues.push(fault(config, "gateway.tls.crl", "crl needs client_ca, whose certificates it revokes"));
    }
}

fn stores(config: &Config, issues: &mut Vec<Issue>) {
    for section in ["registry", "replay"] {
        let (url, file) = (format!("{section}.url"), format!("{section}.url_file"));
        if config.places.has(&url) && config.places.has(&file) {
            issues.push(fault(config, &file, format!("[{section}] has both url and url_file: expected one")));
        }
    }
}

fn sidecar(config: &Config, issues: &mut Vec<Issue>) {
    let Some(sidecar) = &config.sidecar else { return };
    if let Some(algorithm) = sidecar.algorithm {
        let legal = sidecar.scheme.algorithms();
        if !legal.contains(&algorithm) {
            let names: Vec<&str> = legal.iter().map(|it| it.as_str()).collect();
            let text = format!(
                "algorithm \"{algorithm}\" does not belong to the scheme \"{}\": expected {}",
                sidecar.scheme,
                one_of(&names)
            );
            issues.push(fault(config, "sidecar.algorithm", text));
        }
    }
    let https = sidecar.to.as_ref().is_none_or(|to| to.to_string().starts_with("https:"));
    if sidecar.client_certificate.is_some() && !https {
        let text = "client_certificate is shown over TLS only: expected to = \"https://…\"";
        issues.push(fault(config, "sidecar.client_certificate", text));
    }
    if sidecar.seal.as_ref().is_some_and(|seal| seal.fields.is_empty() && seal.if_present.is_empty()) {
        issues.push(fault(config, "sidecar.seal.fields", "[sidecar.seal] seals nothing: expected fields"));
    }
    for (inner, outer) in sidecar.seal.iter().flat_map(nested) {
        let text = format!("{inner} lies inside {outer}: what has both can't be sealed, and would never be sent");
        issues.push(fault(config, "sidecar.seal", &text).hint(format!("take {inner} out: all of {outer} is sealed")));
    }
}

/// The fields that lie inside others that are sealed, too, with the first of those.
fn nested(seal: &SidecarSeal) -> Vec<(Pointer, Pointer)> {
    let all = seal.fields.iter().chain(&seal.if_present);
    // What is none by the rules of the core is told where it is used.
    let all: Vec<Pointer> = all.filter_map(|text| text.parse().ok()).collect();
    let within = |inner: &Pointer| Some((inner.clone(), all.iter().find(|outer| inner.lies_in(outer))?.clone()));
    all.iter().filter_map(within).collect()
}
