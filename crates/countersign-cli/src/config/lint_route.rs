use std::time::Duration;

use super::Config;
use super::component::contains;
use super::lint::Finding;
use super::names::{Mode, Nonce, PkiReplay, Refusals, Scheme, User};
use super::route::{REQUIRE, Route};

/// What a signature should cover, and what happens to what it does not.
const COVERAGE: [(&str, &str, &str); 5] = [
    ("@method", "method-unsigned", "a signed GET can be sent on as DELETE"),
    ("@authority", "authority-unsigned", "a request signed for another host can be sent here"),
    ("@path", "path-unsigned", "a request signed for one resource can be sent to another"),
    ("@query", "query-unsigned", "?amount=1 can be made ?amount=1000"),
    ("content-digest", "body-unsigned", "the body can be exchanged for any other"),
];

/// What the text of a scheme leaves open.
const LEGACY: [(Scheme, &str); 3] = [
    (Scheme::Pki, "pki signs the body alone: method, path, query, host and headers can be changed on the way"),
    (
        Scheme::TrustedSite,
        "trusted-site signs payload and timestamp alone: method, path, query, host and headers can be changed on the way",
    ),
    (
        Scheme::AppHmac,
        "app-hmac signs no host and no headers, in the layout payload-first neither method nor target, and since both sides \
         hold the secret it proves to no third party who signed",
    ),
];

/// What can be sent to every route that admits it, and what to do about it.
const BODY_ONLY: [(Scheme, &str, &str); 3] = [
    (Scheme::Pki, "pki signs", "give the routes different partners, or admit the scheme on one alone"),
    (Scheme::TrustedSite, "trusted-site signs", "give the routes different partners, or admit the scheme on one alone"),
    (
        Scheme::AppHmac,
        "an app-hmac key in the layout payload-first signs",
        "give the routes different partners, or add keys with --layout method-first, which signs the path",
    ),
];

/// What the gateway answers itself where there are user tokens, on the word of any partner's trusted site.
const EXCHANGE: [&str; 2] = ["/auth/trusted/register", "/auth/trusted/login"];

/// What is unwise about one route.
#[expect(clippy::too_many_lines, reason = "a table of findings, each a condition with its words")]
pub(super) fn lint_route(config: &Config, index: usize, route: &Route, findings: &mut Vec<Finding>) {
    let mut found = |code, key: &str, message: String, fix: &str| {
        let place = config.places.of(&format!("route[{index}].{key}")).clone();
        findings.push(Finding { code, place, route: Some(route.path.clone()), message, fix: fix.to_owned() });
    };
    let has = |scheme| route.schemes.contains(&scheme);

    if has(Scheme::HttpMessageSignatures) {
        for (part, code, harm) in COVERAGE {
            if !contains(&route.require, part) {
                let message = format!("require has no \"{part}\": {harm}");
                found(code, "require", message, &format!("add \"{part}\" to require"));
            }
        }
        if route.http_message_signatures.nonce == Nonce::Optional {
            found(
                "nonce-optional",
                "http_message_signatures.nonce",
                "nonce is optional: two equal requests of one second can't be told from a replay, so one of them is refused"
                    .to_owned(),
                "nonce = \"required\"",
            );
        }
    } else if route.require != REQUIRE {
        found(
            "require-idle",
            "require",
            "require speaks of http-message-signatures only, which this route does not admit".to_owned(),
            "take require out, or add \"http-message-signatures\" to schemes",
        );
    }
    for (scheme, message) in LEGACY {
        if has(scheme) {
            found("legacy-scheme", "schemes", message.to_owned(), "move these partners to http-message-signatures");
        }
    }
    for scheme in [Scheme::TrustedSite, Scheme::AppHmac] {
        if has(scheme) && route.user == User::Required {
            found(
                "token-unsigned",
                "schemes",
                format!(
                    "with user = \"required\" no {scheme} message passes: it signs no header, and the token has to be signed"
                ),
                "take it out of schemes, or give these senders a route of their own",
            );
        }
    }
    if has(Scheme::Pki) && route.pki.replay == PkiReplay::Unprotected {
        found(
            "replay-unprotected",
            "pki.replay",
            "replay is unprotected: whoever captures one message can send it again, for ever".to_owned(),
            "replay = \"protected\", with senders that put timestamp and message_id into the body",
        );
    }
    if route.unsigned_target && LEGACY.iter().any(|(scheme, _)| has(*scheme)) {
        found(
            "target-unsigned",
            "unsigned_target",
            "unsigned_target is on: a signed body can be sent with any method, to any path and query below this one"
                .to_owned(),
            "one route for each path that these senders use, and unsigned_target = false",
        );
    }
    if route.max_age > Duration::from_mins(15) {
        found(
            "age-long",
            "max_age",
            "max_age is beyond 15 minutes: a request that was held back passes long after it was meant".to_owned(),
            "max_age = \"5m\"",
        );
    }
    if route.max_skew.is_some_and(|skew| skew > Duration::from_mins(5)) {
        found(
            "skew-long",
            "max_skew",
            "max_skew is beyond 5 minutes: requests can be signed ahead and kept for later".to_owned(),
            "max_skew = \"30s\", and senders whose clock is right",
        );
    }
    if let Some((message, fix)) = beyond_its_room(config, route) {
        found("body-beyond-space", "max_body", message, fix);
    }
    if route.refusals == Refusals::Full {
        found(
            "refusals-full",
            "refusals",
            "refusals tell everything: strangers learn which keys exist and which check they failed".to_owned(),
            "refusals = \"code\", and `countersign explain` for the details",
        );
    }
    if route.mode == Mode::Observe {
        found(
            "observing",
            "mode",
            "the route only observes: unsigned and forged requests are forwarded".to_owned(),
            "mode = \"enforce\", once the log shows no refusal of those you know",
        );
    }
    let in_the_clear = route.upstream.iter().filter(|upstream| upstream.scheme() == "http").count();
    if in_the_clear > 0 && in_the_clear < route.upstream.len() {
        found(
            "upstream-mixed",
            "upstream",
            "of the upstreams some are https and some http: the same requests go in the clear now and then".to_owned(),
            "https for all of them, or for none on a network of your own",
        );
    }
    if route.health.is_some() && route.upstream.len() == 1 {
        found(
            "health-alone",
            "health",
            "health asks the only upstream: requests go there all the same while it is not well".to_owned(),
            "upstream = [\"…\", \"…\"] where there are several; else the metrics and /readyz show what it finds",
        );
    }
    if route.unbound {
        found(
            "sealed-unbound",
            "unbound",
            "unbound is on: a sealed field can be moved to another place, or sent by another partner".to_owned(),
            "unbound = false, with senders that put ptr and sub into the protected header",
        );
    }
    let answered =
        route.path == "/.well-known/jwks.json" || config.token.is_some() && EXCHANGE.contains(&route.path.as_str());
    if answered {
        found(
            "route-shadowed",
            "path",
            "the gateway answers this path itself: nothing reaches the upstream".to_owned(),
            "take the route out",
        );
    }
}

/// A body that the route admits and that finds no room even where there is no other.
fn beyond_its_room(config: &Config, route: &Route) -> Option<(String, &'static str)> {
    let limits = &config.gateway.limits;
    let most = route.max_body;
    let has = |scheme| route.schemes.contains(&scheme);
    // Strangers find half of the room; a document takes its size about eight times.
    if (has(Scheme::Pki) || has(Scheme::TrustedSite)) && most.saturating_mul(16) > limits.memory_space {
        let message = "max_body is beyond a sixteenth of memory_space: the largest JSON bodies are always answered 503";
        return Some((message.to_owned(), "a smaller max_body, or a larger memory_space in [gateway]"));
    }
    let files = if has(Scheme::HttpMessageSignatures) { limits.spool_space } else { limits.spool_space / 2 };
    if most > limits.body_in_memory && most > files {
        let message = "max_body is beyond what there is of spool_space: the largest bodies are always answered 503";
        return Some((message.to_owned(), "a smaller max_body, or a larger spool_space in [gateway]"));
    }
    None
}

/// What is unwise between routes: a message of a body-only scheme fits every one that admits its key.
pub(super) fn lint_routes(config: &Config, findings: &mut Vec<Finding>) {
    let routes = &config.routes;
    for (index, route) in routes.iter().enumerate() {
        for (scheme, signs, fix) in BODY_ONLY {
            let admits = |other: &&Route| other.schemes.contains(&scheme) && share(route, other);
            let others: Vec<&str> = routes[..index].iter().filter(admits).map(|other| other.path.as_str()).collect();
            if route.schemes.contains(&scheme) && !others.is_empty() {
                findings.push(Finding {
                    code: "body-only-shared",
                    place: config.places.of(&format!("route[{index}].schemes")).clone(),
                    route: Some(route.path.clone()),
                    message: format!(
                        "{signs} no path, and the same keys are admitted on {}: what was signed for one can be sent to the \
                         other",
                        others.join(", ")
                    ),
                    fix: fix.to_owned(),
                });
            }
        }
        // The exchange takes the keys of every partner.
        if config.token.is_some() && route.schemes.contains(&Scheme::TrustedSite) {
            findings.push(Finding {
                code: "body-only-shared",
                place: config.places.of(&format!("route[{index}].schemes")).clone(),
                route: Some(route.path.clone()),
                message: format!(
                    "trusted-site signs no path, and the same keys are admitted on {}: what was signed for one can be sent to \
                     the other",
                    EXCHANGE.join(", ")
                ),
                fix: "sites that write the path into every payload, as its member `for`, and an API that compares it; the \
                      exchange does"
                    .to_owned(),
            });
        }
    }
}

fn share(one: &Route, other: &Route) -> bool {
    let all = one.partners.is_empty() || other.partners.is_empty();
    all || one.partners.iter().any(|partner| other.partners.contains(partner))
}
