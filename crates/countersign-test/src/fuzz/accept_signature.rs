use std::sync::{Arc, LazyLock};

use countersign::{AcceptSignature, Algorithm, Keys, Policy, Scheme};
use http::HeaderMap;

use super::chain::{Party, judge, lenient, sign};
use super::raw::{Raw, sections};

const RFC: Scheme = Scheme::HttpMessageSignatures;

static ACME: LazyLock<Party> = LazyLock::new(|| Party::new(RFC, Algorithm::HmacSha256, "acme-1"));
static KEYS: LazyLock<Keys> = LazyLock::new(|| ACME.keys());
static POLICY: LazyLock<Arc<Policy>> = LazyLock::new(|| lenient(RFC, |_| {}));

/// An `Accept-Signature` field, and a message that is signed as it asks.
///
/// # Panics
/// Where a field that we print says something else than the one we read, or where we sign otherwise than we were asked.
pub fn accept_signature(input: &[u8]) {
    let [field, message] = sections(input);
    let Some(field) = std::str::from_utf8(field).ok() else { return };
    let Ok(asked) = AcceptSignature::parse(field) else { return };
    let printed = asked.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    assert_eq!(AcceptSignature::parse(&printed).as_ref(), Ok(&asked), "{printed}");
    let Some(raw) = Raw::request(message) else { return };
    for asked in &asked {
        let Ok(head) = raw.head() else { return };
        let Ok(signature) = sign(head, &raw.body, &HeaderMap::new(), asked.form("acme-1"), &ACME.signer) else {
            continue;
        };
        let mut signed = raw.clone();
        signature.apply(&mut signed.headers);
        let input = signed.headers.get_all("signature-input").iter().next_back().and_then(|value| value.to_str().ok());
        let begins = format!("{}=({});", asked.label, asked.cover.join(" "));
        assert!(input.is_some_and(|input| input.starts_with(&begins)), "{input:?} was asked to begin {begins}");
        let tagged = asked.tag.is_none() || input.is_some_and(|input| input.contains(";tag="));
        assert!(tagged, "{input:?} has no tag");
        let alone = !raw.headers.contains_key("signature-input") && !raw.headers.contains_key("signature");
        let itself = asked.cover.iter().any(|component| component.contains("signature"));
        if alone && !itself && !raw.headers.contains_key("content-digest") {
            let verdict = judge(signed.head(), &signed.body, &HeaderMap::new(), &KEYS, &POLICY);
            let code = verdict.err();
            assert!(
                matches!(code, None | Some(countersign::Code::Ambiguous | countersign::Code::BodyTooLarge)),
                "what we signed is {code:?}"
            );
        }
    }
}
