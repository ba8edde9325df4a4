use std::collections::HashMap;

use super::Config;
use super::check::{fault, is_loopback, meet};
use super::forms::one_of;
use super::issue::Issue;
use super::names::{Channel, ClientAuth, Scheme, User};
use super::route::Route;

/// What is wrong with one route.
pub(super) fn check_route(config: &Config, index: usize, route: &Route, issues: &mut Vec<Issue>) {
    let at = |key: &str| format!("route[{index}].{key}");
    let mut told = |key: &str, text: String, hint: &str| {
        let issue = fault(config, &at(key), text);
        issues.push(if hint.is_empty() { issue } else { issue.hint(hint) });
    };
    let has = |scheme| route.schemes.contains(&scheme);

    if route.schemes.is_empty() && route.user != User::Required {
        told(
            "schemes",
            "schemes is empty: everything would pass, or nothing".to_owned(),
            "schemes may be empty where user = \"required\" asks for a token in place of a signature",
        );
    }
    if has(Scheme::HttpMessageSignatures) && route.require.iter().all(|name| name == "content-digest") {
        let text = match route.require.as_slice() {
            [] => "require is empty: a signature over nothing would pass",
            // RFC 9530 knows no digest of what is not there.
            _ => {
                "require has \"content-digest\" alone, which is demanded of bodies only: without a body, a signature over \
                  nothing would pass"
            }
        };
        told("require", text.to_owned(), "the default is @method @authority @path @query content-digest");
    }
    for scheme in Scheme::ALL {
        if config.places.has(&at(scheme.section())) && !has(*scheme) {
            let text = format!("[route.{}] is there, but schemes has no \"{scheme}\"", scheme.section());
            told(scheme.section(), text, "");
        }
    }
    let legal = Scheme::HttpMessageSignatures.algorithms();
    for algorithm in route.http_message_signatures.algorithms.iter().filter(|it| !legal.contains(it)) {
        let names: Vec<&str> = legal.iter().map(|it| it.as_str()).collect();
        let text = format!("algorithms has \"{algorithm}\", which is not of this scheme: expected {}", one_of(&names));
        told("http_message_signatures.algorithms", text, "");
    }
    if route.user == User::Required {
        if has(Scheme::Pki) {
            let text = "user = \"required\" and the scheme \"pki\" both want the one Authorization header".to_owned();
            told("user", text, "make two routes of it");
        }
        if config.token.is_none() {
            told("user", "user = \"required\" needs [token], which says whose tokens are valid".to_owned(), "");
        }
    }
    let asks_certificates = config.gateway.tls.as_ref().is_some_and(|tls| tls.client_auth != ClientAuth::Off);
    if route.channel == Channel::SamePartner && !asks_certificates {
        let text = "channel = \"same-partner\" needs client certificates";
        told("channel", text.to_owned(), "client_auth = \"required\" in [gateway.tls] asks for them");
    }
    if !route.open.is_empty() && route.schemes.is_empty() {
        let text = "open needs a signature: fields are opened for the partner who sealed them, and schemes is empty";
        told("open", text.to_owned(), "schemes = [\"http-message-signatures\"]");
    }
    if let Some(upstream) = upstream_is_ours(config, route) {
        told("upstream", format!("upstream is {upstream} itself: requests would go round in a circle"), "");
    }
}

/// What is wrong between routes.
pub(super) fn check_routes(config: &Config, issues: &mut Vec<Issue>) {
    let mut first: HashMap<&str, usize> = HashMap::new();
    for (index, route) in config.routes.iter().enumerate() {
        if let Some(former) = first.get(route.path.as_str()) {
            let former = config.places.of(&format!("route[{former}].path"));
            let text = format!("path \"{}\" has a route already, at {former}", route.path);
            issues.push(fault(config, &format!("route[{index}].path"), text));
        } else {
            first.insert(&route.path, index);
        }
    }
}

fn upstream_is_ours(config: &Config, route: &Route) -> Option<&'static str> {
    route.upstream.iter().find_map(|upstream| {
        let upstream = match (upstream.address(), upstream.host()) {
            (Some(address), _) => address,
            (None, "localhost") => ([127, 0, 0, 1], upstream.port()).into(),
            _ => return None,
        };
        // Of an address beyond this machine, we can't know whose it is unless we listen on that very one.
        let reaches = |listen| meet(listen, &upstream) && (listen.ip() == upstream.ip() || is_loopback(&upstream));
        if config.gateway.listen.iter().any(reaches) {
            return Some("the gateway");
        }
        reaches(&config.admin.listen).then_some("the admin port")
    })
}
