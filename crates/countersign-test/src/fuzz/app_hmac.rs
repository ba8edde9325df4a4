use std::collections::BTreeSet;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use aws_lc_rs::digest;
use countersign::{
    Algorithm, AppHmacForm, Code, Draft, Form, Keys, Layout, NonceForm, Policy, Scheme, Timestamp, TimestampUnit,
};
use http::HeaderMap;

use super::chain::{NOW, Party, lenient, pass, ready};
use super::raw::Raw;

static POLICY: LazyLock<Arc<Policy>> = LazyLock::new(|| {
    lenient(Scheme::AppHmac, |demands| {
        demands.max_age = Duration::from_secs(300);
        demands.max_skew = None;
    })
});

static KEYS: LazyLock<[Key; 24]> = LazyLock::new(|| std::array::from_fn(Key::new));

/// 2026-01-01T00:00:00Z: before, there was nothing that could have passed.
const FIRST: Timestamp = Timestamp::from_secs(1_767_225_600);
const DAY: Duration = Duration::from_secs(86_400);

/// An `app-hmac` request with `Timestamp` and `Nonce`, behind a byte that says which form the key has. Signed here as the form's
/// text says, and by our signer.
///
/// # Panics
/// Where another request than the one that is taken would be taken with the same signed bytes, and so with its signature,
/// whenever that might be; and where we can't verify what we signed.
pub fn app_hmac(input: &[u8]) {
    let Some((&first, message)) = input.split_first() else { return };
    let Some(raw) = Raw::request(message) else { return };
    let key = &KEYS[usize::from(first) % KEYS.len()];
    let field = |name| raw.headers.get(name).and_then(|value| value.to_str().ok());
    if let (Some(stamp), Some(nonce)) = (field("timestamp"), field("nonce")) {
        let parts = Parts {
            method: raw.method.as_str().to_owned(),
            target: raw.target.clone(),
            stamp: stamp.to_owned(),
            nonce: nonce.to_owned(),
            body: raw.body.clone(),
        };
        key.check(&parts);
    }
    key.sign(raw);
}

struct Key {
    form: AppHmacForm,
    party: Party,
    keys: Keys,
    /// The moments between which it is valid, if it says so.
    valid: Option<(Timestamp, Timestamp)>,
}

/// What is signed, and where one ends and the next begins.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Parts {
    method: String,
    target: String,
    stamp: String,
    nonce: String,
    body: Vec<u8>,
}

impl Key {
    /// One of each combination.
    fn new(number: usize) -> Self {
        let form = AppHmacForm {
            layout: [Layout::MethodFirst, Layout::PayloadFirst][number % 2],
            unit: [TimestampUnit::Seconds, TimestampUnit::Milliseconds][number / 2 % 2],
            nonce: [NonceForm::Hex8, NonceForm::Hex32, NonceForm::Uuid][number / 4 % 3],
        };
        let valid = (number / 12 % 2 == 1).then(|| (NOW.before(DAY), NOW.after(DAY)));
        let mut party = Party::new(Scheme::AppHmac, Algorithm::HmacSha256, "app-1").with_form(form);
        party.record.not_before = valid.map(|(from, _)| from);
        party.record.not_after = valid.map(|(_, until)| until);
        let keys = party.keys();
        Self { form, party, keys, valid }
    }

    /// Signs these parts, and tries all other ways to cut the signed bytes.
    fn check(&self, parts: &Parts) {
        let bytes = self.bytes(parts);
        let signature: String = self.party.signature(&bytes).iter().map(|byte| format!("{byte:02x}")).collect();
        if !self.takes(parts, &signature) {
            return;
        }
        for other in self.cuts(&bytes, &parts.method).into_iter().filter(|other| other != parts) {
            assert!(!self.takes(&other, &signature), "{parts:?} is taken, and {other:?} as well");
        }
    }

    fn bytes(&self, parts: &Parts) -> Vec<u8> {
        let Parts { method, target, stamp, nonce, body } = parts;
        match self.form.layout {
            Layout::MethodFirst => [method, target, stamp, nonce]
                .map(String::as_bytes)
                .concat()
                .into_iter()
                .chain(body.iter().copied())
                .collect(),
            Layout::PayloadFirst => [body, nonce.as_bytes(), stamp.as_bytes()].concat(),
        }
    }

    /// Whether the request is taken at any time.
    fn takes(&self, parts: &Parts, signature: &str) -> bool {
        let Some(created) = self.created(&parts.stamp).filter(|created| *created >= FIRST) else { return false };
        let inside = |at: Timestamp| match self.valid {
            Some((from, until)) => at.max(from).min(until.before(Duration::from_millis(1))),
            None => at,
        };
        let Ok(method) = parts.method.parse() else { return false };
        let mut raw = Raw { method, target: parts.target.clone(), headers: HeaderMap::new(), body: parts.body.clone() };
        let values =
            [("appid", "app-1"), ("timestamp", &parts.stamp), ("nonce", &parts.nonce), ("signature", signature)];
        for (name, value) in values {
            let Ok(value) = value.parse() else { return false };
            raw.headers.insert(name, value);
        }
        BTreeSet::from([created, inside(created)]).into_iter().any(|now| {
            let Ok(head) = raw.head() else { return false };
            let verdict = pass(head, &raw.body, &HeaderMap::new(), usize::MAX, &self.keys, &POLICY, now);
            if let Ok(ready) = &verdict {
                assert_eq!(ready.signed_hash(), sha256(&self.bytes(parts)));
            }
            verdict.is_ok()
        })
    }

    /// Every way to cut these bytes into parts of the key's form. A method holds no slash and a target begins with one.
    fn cuts(&self, bytes: &[u8], method: &str) -> Vec<Parts> {
        let stamp = if self.form.unit == TimestampUnit::Seconds { 10 } else { 13 };
        let nonce = match self.form.nonce {
            NonceForm::Hex8 => 8,
            NonceForm::Hex32 => 32,
            NonceForm::Uuid => 36,
        };
        let text = |part: &[u8]| String::from_utf8_lossy(part).into_owned();
        match self.form.layout {
            Layout::MethodFirst => {
                let rest = &bytes[method.len()..];
                let plausible = |at: &usize| rest[*at..*at + stamp].iter().all(u8::is_ascii_digit);
                (1..(rest.len() + 1).saturating_sub(stamp + nonce))
                    .filter(plausible)
                    .map(|at| Parts {
                        method: method.to_owned(),
                        target: text(&rest[..at]),
                        stamp: text(&rest[at..at + stamp]),
                        nonce: text(&rest[at + stamp..at + stamp + nonce]),
                        body: rest[at + stamp + nonce..].to_vec(),
                    })
                    .collect()
            }
            // Both are of one length and stand at the end.
            Layout::PayloadFirst => Vec::new(),
        }
    }

    fn created(&self, stamp: &str) -> Option<Timestamp> {
        let number = stamp.parse().ok()?;
        Some(match self.form.unit {
            TimestampUnit::Seconds => Timestamp::from_secs(number),
            TimestampUnit::Milliseconds => Timestamp::from_millis(number),
        })
    }

    /// Signs with our signer what it takes.
    fn sign(&self, mut raw: Raw) {
        for name in ["appid", "timestamp", "nonce", "signature"] {
            raw.headers.remove(name);
        }
        let Ok(head) = raw.head() else { return };
        let mut draft = Draft::new(head, Form { app_hmac: Some(self.form), ..Form::new(Scheme::AppHmac, "app-1") });
        draft.push(&raw.body);
        let Ok(unsigned) = draft.finish("a nonce of 16 bytes", NOW) else { return };
        let signed = ready(unsigned.sign(&self.party.signer)).expect("a key in this process signs");
        signed.apply(&mut raw.headers);
        let head = raw.head().expect("the same head");
        match pass(head, &raw.body, &HeaderMap::new(), 7, &self.keys, &POLICY, NOW) {
            Ok(ready) => assert_eq!(ready.signed_hash(), sha256(signed.signed_bytes())),
            Err(code) => assert!(matches!(code, Code::Ambiguous | Code::BodyTooLarge), "what we signed is {code:?}"),
        }
    }
}

fn sha256(bytes: &[u8]) -> [u8; 32] {
    let mut hash = [0; 32];
    hash.copy_from_slice(digest::digest(&digest::SHA256, bytes).as_ref());
    hash
}
