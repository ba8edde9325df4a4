//! Signed responses: bound to the request that they answer (`;req`, RFC 9421 section 2.4), and to its very signature.

mod support;

use bytes::Bytes;
use countersign::*;
use http::{HeaderMap, StatusCode};
use support::{NOW, Pair, Request, policy, run};

const RFC: Scheme = Scheme::HttpMessageSignatures;
const BODY: &[u8] = b"{\"id\": 7}";

/// What a client demands of an answer to its signed request.
fn demands(d: &mut Demands) {
    d.require = [
        "@status",
        "content-type",
        "content-digest",
        "@method;req",
        "@authority;req",
        "@path;req",
        "@query;req",
        "content-digest;req",
        "signature;req",
    ]
    .map(str::to_owned)
    .to_vec();
    d.http_message_signatures.nonce_optional = true;
}

fn request(nonce: &str) -> Head {
    let partner = Pair::new(RFC, Algorithm::HmacSha256, "key-1", "acme");
    Request::post("/orders?a=b", "application/json", b"{}").sign(&partner, nonce, NOW).head().unwrap()
}

fn answer(status: u16, signature: Option<&Signed>, to: Head) -> Head {
    let mut headers = HeaderMap::new();
    headers.insert("content-type", "application/json".parse().unwrap());
    if let Some(signature) = signature {
        signature.apply(&mut headers);
    }
    Head::response(StatusCode::from_u16(status).unwrap(), headers, true, Some(to))
}

fn sign(gateway: &Pair, to: Head) -> Signed {
    let mut draft = Draft::new(answer(201, None, to), Form::new(RFC, "gateway-1"));
    draft.push(BODY);
    run(draft.finish("nonce", NOW).unwrap().sign(&gateway.signer)).unwrap()
}

fn judge(gateway: &Pair, response: Head, body: &[u8]) -> Result<(), Code> {
    let code = |rejection: Rejection| rejection.code();
    let keys = gateway.keys();
    let mut open = Claim::read(response, &policy(demands)).map_err(code)?.check(&keys, NOW).map_err(code)?;
    open.push(Bytes::copy_from_slice(body)).map_err(code)?;
    open.finish(&keys, NOW).map(drop).map_err(code)
}

#[test]
fn a_response_is_signed_with_what_it_answers() {
    let gateway = Pair::new(RFC, Algorithm::Ed25519, "gateway-1", "gateway");
    let signed = sign(&gateway, request("n1"));
    let input = signed.headers().find(|(name, _)| *name == "signature-input").unwrap().1.to_str().unwrap();
    let covered = "sig1=(\"@status\" \"content-type\" \"content-digest\" \"@method\";req \"@authority\";req \"@path\";req \
                   \"@query\";req \"content-digest\";req \"signature\";req;key=\"sig1\");created=1795000000";
    assert!(input.starts_with(covered), "{input}");
    assert_eq!(judge(&gateway, answer(201, Some(&signed), request("n1")), BODY), Ok(()));
}

#[test]
fn a_response_to_one_request_is_none_to_another() {
    let gateway = Pair::new(RFC, Algorithm::Ed25519, "gateway-1", "gateway");
    let signed = sign(&gateway, request("n1"));
    let judged = |status, to, body: &[u8]| judge(&gateway, answer(status, Some(&signed), to), body);
    // The same request, signed once more: its signature is another one.
    assert_eq!(judged(201, request("n2"), BODY), Err(Code::BadSignature));
    assert_eq!(judged(200, request("n1"), BODY), Err(Code::BadSignature));
    assert_eq!(judged(201, request("n1"), b"{\"id\": 8}"), Err(Code::DigestMismatch));
    let unsigned = Request::post("/orders?a=b", "application/json", b"{}").head().unwrap();
    assert_eq!(judged(201, unsigned, BODY), Err(Code::Malformed));
}

#[test]
fn a_response_that_says_nothing_of_its_request_is_not_enough() {
    let gateway = Pair::new(RFC, Algorithm::Ed25519, "gateway-1", "gateway");
    let parts = ["\"@path\";req", "\"content-digest\";req", "\"signature\";req;key=\"sig1\"", "\"@status\""];
    for left_out in parts {
        let cover = [
            "\"@status\"",
            "\"content-type\"",
            "\"content-digest\"",
            "\"@method\";req",
            "\"@authority\";req",
            "\"@path\";req",
            "\"@query\";req",
            "\"content-digest\";req",
            "\"signature\";req;key=\"sig1\"",
        ];
        let cover = cover.into_iter().filter(|it| *it != left_out).map(str::to_owned).collect();
        let form = Form { cover: Some(cover), ..Form::new(RFC, "gateway-1") };
        let mut draft = Draft::new(answer(201, None, request("n1")), form);
        draft.push(BODY);
        let signed = run(draft.finish("nonce", NOW).unwrap().sign(&gateway.signer)).unwrap();
        let response = answer(201, Some(&signed), request("n1"));
        assert_eq!(judge(&gateway, response, BODY), Err(Code::CoverageTooSmall), "{left_out}");
    }
}

#[test]
fn a_member_of_another_field_is_no_signature_of_the_request() {
    let gateway = Pair::new(RFC, Algorithm::Ed25519, "gateway-1", "gateway");
    let to = || {
        let mut headers = request("n1").into_headers();
        headers.insert("x-other", "sig1=1".parse().unwrap());
        let origin = Origin::parse("https://api.example.com").unwrap();
        Head::request(http::Method::POST, "/orders?a=b", origin, headers, true).unwrap()
    };
    let usual = sign(&gateway, to());
    let input = usual.headers().find(|(name, _)| *name == "signature-input").unwrap().1.to_str().unwrap().to_owned();
    let input = input.strip_prefix("sig1=").unwrap().replace("\"signature\";req;key", "\"x-other\";req;key");
    let mut draft =
        Draft::new(answer(201, None, to()), Form { signature_input: Some(input), ..Form::new(RFC, "gateway-1") });
    draft.push(BODY);
    let signed = run(draft.finish("nonce", NOW).unwrap().sign(&gateway.signer)).unwrap();
    let mut headers = HeaderMap::new();
    headers.insert("content-type", "application/json".parse().unwrap());
    usual.apply(&mut headers);
    signed.headers().for_each(|(name, value)| drop(headers.insert(name.clone(), value.clone())));
    let response = Head::response(StatusCode::CREATED, headers, true, Some(to()));
    assert_eq!(judge(&gateway, response, BODY), Err(Code::CoverageTooSmall));
}

#[test]
fn req_on_a_request_is_malformed() {
    let gateway = Pair::new(RFC, Algorithm::Ed25519, "gateway-1", "gateway");
    let mut request = Request::get("/");
    request.headers.insert("signature-input", "sig1=(\"@method\";req);keyid=\"gateway-1\"".parse().unwrap());
    request.headers.insert("signature", "sig1=:AAAA:".parse().unwrap());
    assert_eq!(judge(&gateway, request.head().unwrap(), b""), Err(Code::Malformed));
}
