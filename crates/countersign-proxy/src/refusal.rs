//! How a refusal is told: `application/problem+json`, RFC 9457.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use countersign::{AcceptSignature, Code, Demands, Policy, Scheme, Timestamp};
use http::{HeaderValue, Response, StatusCode, header};
use serde_json::{Value, json};

use crate::fault::Fault;
use crate::reply::Reply;
use crate::settings::Disclosure;
use crate::table::Route;
use crate::trace::TraceId;

/// Writes a refusal. `route` is `None` where none was found: then only the code is told.
pub(crate) fn answer(
    fault: &Fault,
    route: Option<&Route>,
    has_body: bool,
    trace: TraceId,
    now: Timestamp,
) -> Response<Reply> {
    let disclosure = route.map_or(Disclosure::Code, |route| route.refusals);
    let code = match disclosure {
        Disclosure::Code => fault.code().public(),
        Disclosure::Components | Disclosure::Full => fault.code(),
    };
    let mut problem = problem(fault, code, trace, now);
    if (disclosure != Disclosure::Code || fault.names_field())
        && let Some(detail) = fault.detail()
    {
        problem["detail"] = detail.into();
    }
    if disclosure == Disclosure::Full
        && let Some(route) = route
    {
        problem["route"] = demanded(&route.name, route.policy.demands());
    }
    let mut response = written(fault, code, &problem);
    let headers = response.headers_mut();
    if code.status() == 401
        && let Some(route) = route
    {
        let demands = route.policy.demands();
        for scheme in &demands.schemes {
            headers.append(header::WWW_AUTHENTICATE, HeaderValue::from_static(challenge(*scheme)));
        }
        if demands.user_token {
            headers.append(header::WWW_AUTHENTICATE, HeaderValue::from_static(bearer_challenge(code)));
        }
        if demands.schemes.first() == Some(&Scheme::HttpMessageSignatures)
            && let Ok(value) = HeaderValue::from_str(&accept_signature(&route.policy, has_body))
        {
            headers.insert("accept-signature", value);
        }
    }
    response
}

/// Writes a refusal in full, for callers who are the operator's own.
pub(crate) fn tell(fault: &Fault, trace: TraceId, now: Timestamp) -> Response<Reply> {
    let mut problem = problem(fault, fault.code(), trace, now);
    problem["detail"] = fault.reason().into();
    written(fault, fault.code(), &problem)
}

fn problem(fault: &Fault, code: Code, trace: TraceId, now: Timestamp) -> Value {
    json!({
        "type": format!("urn:countersign:refusal:{code}"),
        "title": code.title(),
        "status": code.status(),
        "code": code.as_str(),
        "advice": fault.advice(code),
        "trace": trace.as_str(),
        "server_time": now.as_secs(),
    })
}

fn written(fault: &Fault, code: Code, problem: &Value) -> Response<Reply> {
    let mut response = Response::new(Reply::own(problem.to_string()));
    *response.status_mut() = StatusCode::from_u16(code.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if matches!(code.status(), 429 | 503) {
        // RFC 9110 §10.2.3, in whole seconds.
        let seconds = fault.retry_after().map_or(1, |time| time.as_secs() + 1);
        headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    if let Fault::Limited(standing) = fault {
        standing.tell(headers);
    }
    response
}

/// RFC 9110 §11.6.1: a 401 carries at least one challenge.
fn challenge(scheme: Scheme) -> &'static str {
    match scheme {
        Scheme::HttpMessageSignatures => "Signature realm=\"countersign\"",
        Scheme::Pki => "PKI realm=\"countersign\"",
        Scheme::TrustedSite => "TrustedSite realm=\"countersign\"",
        Scheme::AppHmac => "AppHmac realm=\"countersign\"",
    }
}

/// RFC 6750 §3: no error is told to whoever sent no token.
fn bearer_challenge(code: Code) -> &'static str {
    match code {
        Code::TokenInvalid | Code::TokenExpired => "Bearer realm=\"countersign\", error=\"invalid_token\"",
        _ => "Bearer realm=\"countersign\"",
    }
}

/// RFC 9421 §5.1. A nonce is made up, since there it can only be asked for by its value.
fn accept_signature(policy: &Policy, has_body: bool) -> String {
    let mut random = [0; 16];
    let nonce = aws_lc_rs::rand::fill(&mut random).ok().map(|()| URL_SAFE_NO_PAD.encode(random));
    AcceptSignature::of(policy, has_body, nonce.as_deref()).to_string()
}

fn demanded(name: &str, demands: &Demands) -> Value {
    let schemes: Vec<&str> = demands.schemes.iter().map(|scheme| scheme.as_str()).collect();
    json!({
        "name": name,
        "schemes": schemes,
        "require": demands.require,
        "max_age": demands.max_age.as_secs(),
        "max_body": demands.max_body,
    })
}
