//! What is allowed and unwise: each finding says what an attacker could do with it, and what to write.

use std::fmt;
use std::time::Duration;

use countersign_store::replay::RedisAddress;

use super::Config;
use super::check::is_loopback;
use super::issue::Place;
use super::lint_route::{lint_route, lint_routes};
use super::lint_sidecar::lint_sidecar;
use super::names::Durability;
use super::store_url::{ReplayUrl, Source};

/// One finding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Stable, for machines: `query-unsigned`.
    pub code: &'static str,
    /// Where it is, or where the setting that is absent would stand.
    pub place: Place,
    /// The path of the route that it is about.
    pub route: Option<String>,
    /// What is so, and what it lets happen.
    pub message: String,
    /// What to write.
    pub fix: String,
}

/// `file:line:column: route /orders: message (code)`; the fix is for a line of its own.
impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { code, place, route, message, .. } = self;
        match route {
            Some(route) => write!(f, "{place}: route {route}: {message} ({code})"),
            None => write!(f, "{place}: {message} ({code})"),
        }
    }
}

/// All findings, in the order of the file.
pub(super) fn lint(config: &Config) -> Vec<Finding> {
    let mut findings = Vec::new();
    deployment(config, &mut findings);
    lint_sidecar(config, &mut findings);
    lint_routes(config, &mut findings);
    for (index, route) in config.routes.iter().enumerate() {
        lint_route(config, index, route, &mut findings);
    }
    findings.sort_by(|one, other| one.place.cmp(&other.place));
    findings
}

fn deployment(config: &Config, findings: &mut Vec<Finding>) {
    let mut found = |code, path: &str, message: &str, fix: &str| {
        let place = config.places.of(path).clone();
        findings.push(Finding { code, place, route: None, message: message.to_owned(), fix: fix.to_owned() });
    };
    let gateway = &config.gateway;
    if gateway.insecure_listen {
        found(
            "listen-insecure",
            "gateway.insecure_listen",
            "insecure_listen is on: whoever is on the way reads every request and response",
            "give the gateway [gateway.tls], or listen on loopback behind something that ends TLS",
        );
    }
    if gateway.any_authority {
        found(
            "authority-any",
            "gateway.any_authority",
            if gateway.public_url.is_empty() {
                "any_authority is on: a request signed for another host of yours, captured there, passes here"
            } else {
                "any_authority is on beside public_url, and would take every Host if that were gone"
            },
            "name the hosts in public_url, and take any_authority out",
        );
    }
    if gateway.trusted_proxies.iter().any(|network| network.prefix_len() == 0) {
        found(
            "proxies-everyone",
            "gateway.trusted_proxies",
            "trusted_proxies believes everyone: any caller can say which host and address it is",
            "name the networks of your proxies alone",
        );
    }
    if !is_loopback(&config.admin.listen) {
        found(
            "admin-exposed",
            "admin.listen",
            "the admin port is not on loopback: metrics are for all who reach it, and its token travels in the clear",
            "listen = \"127.0.0.1:9090\" in [admin], and a tunnel for who has to reach it",
        );
    }
    if let Source::Url(ReplayUrl::Redis(url)) = &config.replay.url
        && RedisAddress::parse(url.expose()).is_ok_and(|address| address.is_in_the_clear())
    {
        found(
            "replay-clear",
            "replay.url",
            "the replay store is reached in the clear: whoever is on the way can say that a captured request is new",
            "url = \"rediss://…\" in [replay], or a tunnel that ends on loopback",
        );
    }
    if config.evidence.durability == Durability::Off {
        found(
            "evidence-off",
            "evidence.durability",
            "no evidence is kept: no decision can be proved later, and after a crash the replay memory is not rebuilt",
            "durability = \"strict\" in [evidence]",
        );
    }
    if config.token.as_ref().is_some_and(|token| token.shared_users) {
        found(
            "users-shared",
            "token.shared_users",
            "shared_users is on: every trusted site can log in the users of every other",
            "shared_users = false in [token]",
        );
    }
    if config.token.as_ref().is_some_and(|token| token.lifetime > Duration::from_hours(24)) {
        found(
            "token-long",
            "token.lifetime",
            "lifetime is beyond a day: a stolen token is good for as long, unless somebody revokes it",
            "lifetime = \"15m\" in [token]; a site logs its users in again without asking them",
        );
    }
    if config.routes.is_empty() && config.sidecar.is_none() {
        found(
            "no-route",
            "route",
            "there is no route: the gateway answers everything with 404",
            "add a [[route]] with path and upstream",
        );
    }
}
