//! What a refusal means, and what to type next.

use std::io::{IsTerminal, stderr};

use countersign::{Algorithm, Code, Scheme};
use http::header::{CONNECTION, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderMap, StatusCode};
use serde_json::{Value, json};

use super::request::Outgoing;
use super::show::Received;
use super::{Args, typed};
use crate::output::{note, paragraph, red};
use crate::{moment, verdict};

/// A refusal of a gateway: a problem (RFC 9457) with one of its codes, or the empty answer to what is not HTTP.
pub(super) struct Refused {
    pub(super) code: Code,
    trace: Option<String>,
    detail: Option<String>,
    server_time: Option<i64>,
}

impl Refused {
    /// What an API behind answers is no refusal of the gateway before it, also where its problems have codes that look alike:
    /// ours has its trace in head and body.
    pub(super) fn read(received: &Received) -> Option<Self> {
        Self::unread(received).or_else(|| Self::problem(received))
    }

    /// Below HTTP nothing is told but the status: the request never reached a route, and no API behind answered.
    fn unread(received: &Received) -> Option<Self> {
        let code = match received.status {
            StatusCode::BAD_REQUEST => Code::Malformed,
            StatusCode::REQUEST_TIMEOUT => Code::TooSlow,
            StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE => Code::HeadTooLarge,
            _ => return None,
        };
        let closed = header(&received.headers, CONNECTION.as_str()).is_some_and(|it| it.eq_ignore_ascii_case("close"));
        let trace = header(&received.headers, "countersign-trace").map(harmless);
        (closed && received.body.is_empty()).then_some(Self { code, trace, detail: None, server_time: None })
    }

    fn problem(received: &Received) -> Option<Self> {
        let problem: Value = serde_json::from_slice(&received.body).ok()?;
        let text = |name: &str| problem[name].as_str().map(harmless);
        let code: Code = problem["code"].as_str()?.parse().ok()?;
        let trace = text("trace")?;
        let traced = received.headers.get("countersign-trace").is_some_and(|it| it.as_bytes() == trace.as_bytes());
        if !traced || code.status() != received.status.as_u16() {
            return None;
        }
        Some(Self { code, trace: Some(trace), detail: text("detail"), server_time: problem["server_time"].as_i64() })
    }

    pub(super) fn object(&self) -> Value {
        let (check, fix) = verdict::check_and_fix(self.code);
        json!({
            "code": self.code.as_str(), "trace": self.trace, "detail": self.detail, "means": self.code.title(),
            "check": check, "fix": fix,
        })
    }

    /// Says on stderr what came, what it means, and what to do.
    pub(super) fn explain(&self, args: &Args, received: &Received, outgoing: &Outgoing, algorithm: Algorithm) {
        let code = self.code;
        note!("{}: {code} ({})", red("refused", stderr().is_terminal()), received.status.as_u16());
        note!("{}", paragraph("means", code.title()));
        if let Some(detail) = &self.detail {
            note!("{}", paragraph("because", detail));
        }
        if args.tamper.is_some() {
            note!("fix      nothing: this is what --tamper is for");
            match typed::again(&["--tamper"], "") {
                Some(again) => note!("next     {again}"),
                None => note!("next     the same without --tamper"),
            }
            return;
        }
        note!("{}", paragraph("fix", &self.fix(args, received, outgoing)));
        for (at, next) in self.next(args, received, algorithm).iter().enumerate() {
            note!("{}{next}", if at == 0 { "next     " } else { "         " });
        }
        if let Some(trace) = &self.trace {
            note!("trace    {trace} finds this request in the gateway's log");
        }
    }

    fn fix(&self, args: &Args, received: &Received, outgoing: &Outgoing) -> String {
        match self.code {
            Code::SignatureInvalid => {
                "the key is unknown there, not usable, for another algorithm, or not this one; the \
                                       gateway tells which of these where its route says refusals = \"components\""
                    .to_owned()
            }
            Code::TooOld | Code::NotYetValid => match self.clocks() {
                Some(clocks) => format!("set the clock: {clocks}"),
                None => "the clocks agree: the request was too long on its way, or the route allows less".to_owned(),
            },
            Code::CoverageTooSmall if lacks_content_type(received, outgoing) => {
                "the route demands a signed content-type, and the request has none".to_owned()
            }
            Code::CoverageTooSmall => "cover what the route demands".to_owned(),
            Code::SchemeNotAllowed => format!("{} is not admitted there: sign in a scheme that is", args.scheme),
            Code::Unsigned => "something on the way takes the signature off: a proxy that drops headers".to_owned(),
            Code::Replayed => {
                "something on the way sends requests twice: every call of this command signs anew".to_owned()
            }
            Code::HeadTooLarge => "send fewer or shorter headers, or raise [gateway.limits] max_head there".to_owned(),
            Code::TooSlow => "send it faster, or raise the timeouts of [gateway.limits] there".to_owned(),
            Code::NoRoute => "correct the path, or let the gateway serve it".to_owned(),
            Code::RateLimited | Code::Unavailable => {
                let seconds = header(&received.headers, RETRY_AFTER.as_str()).and_then(|it| it.parse::<u32>().ok());
                format!("wait {} s; every call signs anew", seconds.unwrap_or(1))
            }
            Code::UpstreamFailed | Code::UpstreamTimeout => {
                "nothing here: the signature held, and the API behind the gateway does not answer".to_owned()
            }
            code => verdict::check_and_fix(code).1.to_owned(),
        }
    }

    /// Commands to type, here or at the gateway.
    fn next(&self, args: &Args, received: &Received, algorithm: Algorithm) -> Vec<String> {
        let there = |command: String| format!("at the gateway: countersign {command}");
        let show = || there(format!("key show {} --scheme {}", args.id, args.scheme));
        let again = |without: &[&str], with: &str| {
            typed::again(without, with).unwrap_or_else(|| format!("the same with {with}"))
        };
        match self.code {
            Code::SignatureInvalid | Code::BadSignature => vec![show(), again(&["--show-base"], "--show-base")],
            Code::KeyNotUsable | Code::AlgorithmMismatch => vec![show()],
            Code::UnknownSigner => vec![there(add(args, algorithm))],
            Code::TooOld | Code::NotYetValid => vec!["date --utc".to_owned()],
            Code::CoverageTooSmall if args.cover.is_some() => vec![again(&["--cover"], "")],
            Code::CoverageTooSmall => match header(&received.headers, "accept-signature").and_then(demanded) {
                Some(all) if all.contains(&"content-type") => vec![again(&[], "-H 'Content-Type: application/json'")],
                Some(all) => vec![again(&[], &format!("--cover '{}'", all.join(" ")))],
                None => vec![there("lint".to_owned())],
            },
            Code::SchemeNotAllowed => {
                admitted(&received.headers).iter().map(|it| again(&["--scheme"], &format!("--scheme {it}"))).collect()
            }
            Code::PartnerNotAllowed | Code::NoRoute | Code::BodyTooLarge => {
                vec!["at the gateway: see the [[route]] in countersign.toml, then countersign lint".to_owned()]
            }
            Code::UpstreamFailed | Code::UpstreamTimeout => {
                vec!["at the gateway: see that the route's `upstream` runs".to_owned()]
            }
            Code::RateLimited | Code::Unavailable | Code::Replayed => {
                vec![typed::again(&[], "").unwrap_or_else(|| "the same again".to_owned())]
            }
            _ => vec![again(&["--verbose", "-v"], "--verbose")],
        }
    }

    /// How far the two clocks are apart, where that is more than a request takes.
    fn clocks(&self) -> Option<String> {
        let ahead = moment::now().as_secs() - self.server_time?;
        match ahead {
            -5..=5 => None,
            ..-5 => Some(format!("this machine is {} s behind the gateway", -ahead)),
            _ => Some(format!("this machine is {ahead} s ahead of the gateway")),
        }
    }
}

fn add(args: &Args, algorithm: Algorithm) -> String {
    let key = args.key.display();
    let file = match algorithm {
        Algorithm::HmacSha256 => format!("--secret-file {key}"),
        _ => format!("--public-key {key}.pub"),
    };
    format!("key add --partner NAME --id {} --scheme {} --algorithm {algorithm} {file}", args.id, args.scheme)
}

fn lacks_content_type(received: &Received, outgoing: &Outgoing) -> bool {
    let all = header(&received.headers, "accept-signature").and_then(demanded).unwrap_or_default();
    all.contains(&"content-type") && !outgoing.headers.contains_key(http::header::CONTENT_TYPE)
}

/// The components of an `Accept-Signature` (RFC 9421 §5.1), where all are bare names: they end in a command to be pasted.
fn demanded(accept: &str) -> Option<Vec<&str>> {
    let (_, rest) = accept.split_once('(')?;
    let (list, _) = rest.split_once(')')?;
    let bare = |name: &&str| {
        let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'@');
        (1..=64).contains(&name.len()) && name.bytes().all(plain)
    };
    list.split(' ').map(|name| name.strip_prefix('"')?.strip_suffix('"').filter(bare)).collect()
}

/// Text of a server that is not trusted: on a terminal it may neither move a cursor nor turn the reading direction.
fn harmless(text: &str) -> String {
    let shown = |c: char| {
        !c.is_control() && !matches!(c, '\u{200e}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    text.chars().take(500).map(|c| if shown(c) { c } else { '\u{fffd}' }).collect()
}

/// The schemes of the challenges.
fn admitted(headers: &HeaderMap) -> Vec<&'static str> {
    let challenges = headers.get_all(WWW_AUTHENTICATE).iter().filter_map(|it| it.to_str().ok());
    let scheme = |challenge: &str| match challenge.split(' ').next()? {
        "Signature" => Some(Scheme::HttpMessageSignatures.as_str()),
        "PKI" => Some(Scheme::Pki.as_str()),
        "TrustedSite" => Some(Scheme::TrustedSite.as_str()),
        "AppHmac" => Some(Scheme::AppHmac.as_str()),
        _ => None,
    };
    challenges.filter_map(scheme).collect()
}

fn header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hostile_server_puts_nothing_into_a_command_that_is_pasted() {
        let usual = "sig1=(\"@method\" \"content-digest\");created;nonce=\"x\"";
        assert_eq!(demanded(usual), Some(vec!["@method", "content-digest"]));
        for evil in [
            "sig1=(\"@method\" \"';rm${IFS}-rf${IFS}~;'\")",
            "sig1=(\"a$(id)\")",
            "sig1=(\"a`id`\")",
            "sig1=(\"\")",
            "(",
        ] {
            assert_eq!(demanded(evil), None, "{evil}");
        }
    }

    #[test]
    fn a_hostile_server_does_not_write_to_the_terminal() {
        assert_eq!(harmless("a\u{1b}[2Jb\r\u{202e}c é"), "a\u{fffd}[2Jb\u{fffd}\u{fffd}c é");
        assert_eq!(harmless(&"x".repeat(10_000)).len(), 500);
    }
}
