use std::sync::{Arc, LazyLock};

use countersign::{Algorithm, Code, Form, Keys, Policy, Scheme};
use http::{HeaderMap, HeaderName, HeaderValue};

use super::chain::{Party, judge, lenient, sign};
use super::raw::{Raw, fields, sections};

const RFC: Scheme = Scheme::HttpMessageSignatures;

static ACME: LazyLock<Party> = LazyLock::new(|| Party::new(RFC, Algorithm::HmacSha256, "acme-1"));
static KEYS: LazyLock<Keys> = LazyLock::new(|| ACME.keys());
static POLICY: LazyLock<Arc<Policy>> = LazyLock::new(|| lenient(RFC, |_| {}));

/// An RFC 9421 request: the message, a line with what is to be covered, and trailers. First as it came, then signed so. A line
/// that begins with a parenthesis is the whole value of `Signature-Input`.
///
/// # Panics
/// Where what we signed is not what we verify, where something that is covered can be changed, or where a trailer goes on
/// that is not covered.
pub fn request(input: &[u8]) {
    let [message, cover, trailers] = sections(input);
    let Some(raw) = Raw::request(message) else { return };
    let trailers = fields(trailers);
    assert!(judge(raw.head(), &raw.body, &trailers, &KEYS, &POLICY).is_err(), "a stranger's signature holds");
    let Ok(cover) = std::str::from_utf8(cover) else { return };
    sign_and_judge(&raw, cover, &trailers);
}

fn sign_and_judge(raw: &Raw, cover: &str, trailers: &HeaderMap) {
    let Ok(head) = raw.head() else { return };
    let exact = cover.starts_with('(').then(|| cover.to_owned());
    let given = exact.is_some();
    let form = Form { cover: Some(vec![cover.to_owned()]), signature_input: exact, ..Form::new(RFC, "acme-1") };
    let Ok(signature) = sign(head, &raw.body, trailers, form, &ACME.signer) else { return };
    let mut signed = raw.clone();
    signature.apply(&mut signed.headers);
    let verdict = judge(signed.head(), &signed.body, trailers, &KEYS, &POLICY);
    if cover.contains("signature")
        || ["signature", "signature-input"].iter().any(|name| raw.headers.contains_key(*name))
    {
        // The signature itself changes what it covers, or is not the only one.
        return;
    }
    // Without a body the digest is the sender's own, and may be none.
    let own_digest =
        trailers.contains_key("content-digest") || (raw.body.is_empty() && raw.headers.contains_key("content-digest"));
    let ready = match verdict {
        Ok(ready) => ready,
        // A digest that the sender wrote may be of another body, and other schemes leave marks too.
        Err(Code::DigestMismatch | Code::Ambiguous | Code::BodyTooLarge) => return,
        Err(Code::Malformed) if own_digest => return,
        // Who gives the parameters, gives the time and the key.
        Err(Code::CoverageTooSmall | Code::TooOld | Code::NotYetValid | Code::UnknownSigner) if given => return,
        Err(code) => panic!("what we signed is {code:?}"),
    };
    assert_eq!(ready.signed_bytes(), Some(signature.signed_bytes()));
    for name in ready.head().trailers().keys() {
        assert!(cover.contains(&format!("\"{name}\"")) && cover.contains(";tr"), "{name} goes on unsigned");
    }
    for (what, changed) in changes(&signed, cover) {
        let verdict = judge(changed.head(), &changed.body, trailers, &KEYS, &POLICY);
        assert!(verdict.is_err(), "{what} was changed");
    }
}

/// The message with one thing changed that is covered.
fn changes<'a>(signed: &'a Raw, cover: &'a str) -> impl Iterator<Item = (String, Raw)> + 'a {
    let list = cover.strip_prefix('(').map_or(cover, |list| list.split(')').next().unwrap_or_default());
    let covered = move |name: &str| list.split(' ').any(|component| component == format!("\"{name}\""));
    let with = |name: &str, change: &dyn Fn(&mut Raw)| {
        covered(name).then(|| {
            let mut changed = signed.clone();
            change(&mut changed);
            (name.to_owned(), changed)
        })
    };
    let derived = [
        with("@method", &|raw| raw.method = "CHANGED".parse().expect("a method")),
        with("@path", &|raw| raw.target = raw.target.replacen('/', "/x", 1)),
        with("@query", &|raw| raw.target.push_str(if raw.target.contains('?') { "&x" } else { "?x" })),
        with("@request-target", &|raw| raw.target.push('x')),
        with("@target-uri", &|raw| raw.target.push('x')),
        with("content-digest", &|raw| raw.body.push(b'x')),
    ];
    let names: Vec<HeaderName> = signed.headers.keys().filter(|name| covered(name.as_str())).cloned().collect();
    let fields = names.into_iter().map(|name| {
        let mut changed = signed.clone();
        changed.headers.append(&name, HeaderValue::from_static("x"));
        (name.to_string(), changed)
    });
    derived.into_iter().flatten().chain(fields)
}
