use std::sync::{Arc, LazyLock};

use countersign::{Algorithm, Code, Form, Head, Identity, Keys, Policy, Scheme};
use http::HeaderMap;

use super::chain::{NOW, Party, lenient, pass, sign};
use super::raw::{Raw, sections};

const RFC: Scheme = Scheme::HttpMessageSignatures;

/// The last one is nobody's.
const IDS: [&str; 4] = ["acme-1", "acme-2", "other-1", "unknown-1"];

static PARTIES: LazyLock<[Party; 4]> = LazyLock::new(|| IDS.map(|id| Party::new(RFC, Algorithm::HmacSha256, id)));
static KEYS: LazyLock<Keys> = LazyLock::new(|| Keys::new(PARTIES[..3].iter().map(Party::verifying)));
static ANY: LazyLock<Arc<Policy>> = LazyLock::new(|| lenient(RFC, |_| {}));
static TAGGED: LazyLock<Arc<Policy>> =
    LazyLock::new(|| lenient(RFC, |demands| demands.http_message_signatures.tag = Some("orders".to_owned())));

/// Several signatures on one message: the message, then a line for each, `KEY LABEL TAG COVER`. A KEY that is no digit of 0 to
/// 3 makes a bad one.
///
/// # Panics
/// Where the order of signatures changes who is believed to have signed, where a bad signature is believed, or where one
/// is that no key or tag speaks for.
pub fn labels(input: &[u8]) {
    let [message, lines] = sections(input);
    let (Some(raw), Ok(lines)) = (Raw::request(message), std::str::from_utf8(lines)) else { return };
    let Ok(head) = raw.head() else { return };
    if lines.contains("signature")
        || raw.headers.contains_key("signature")
        || raw.headers.contains_key("signature-input")
    {
        // One that covers the others depends on their order.
        return;
    }
    let signatures: Vec<_> = lines.lines().take(20).filter_map(|line| Member::sign(&head, &raw.body, line)).collect();
    for policy in [&*ANY, &*TAGGED] {
        let forward = judge(&raw, signatures.iter(), policy);
        let backward = judge(&raw, signatures.iter().rev(), policy);
        assert_eq!(forward.as_ref().ok(), backward.as_ref().ok(), "the order decides");
        let ambiguous = |verdict: &Result<_, Code>| matches!(verdict, Err(Code::Ambiguous));
        assert_eq!(ambiguous(&forward), ambiguous(&backward), "the order decides");
        let Ok(identity) = forward else { continue };
        let meant = |member: &&Member| member.key < 3 && (Arc::ptr_eq(policy, &ANY) || member.tag == "orders");
        let meant: Vec<_> = signatures.iter().filter(meant).collect();
        assert!(matches!(meant[..], [one] if one.good && IDS[one.key] == &*identity.key), "{identity:?} is believed");
    }
}

struct Member {
    key: usize,
    tag: String,
    good: bool,
    fields: HeaderMap,
}

impl Member {
    fn sign(head: &Head, body: &[u8], line: &str) -> Option<Self> {
        let mut words = line.splitn(4, ' ');
        let (key, label, tag, cover) = (words.next()?, words.next()?, words.next()?, words.next()?);
        let (key, good) = match key.bytes().next()? {
            digit @ b'0'..=b'3' => (usize::from(digit - b'0'), true),
            other => (usize::from(other % 4), false),
        };
        let form = Form {
            cover: Some(cover.split(' ').map(str::to_owned).collect()),
            label: Some(label.to_owned()),
            tag: (tag != "-").then(|| tag.to_owned()),
            ..Form::new(RFC, IDS[key])
        };
        let signer = &PARTIES[if good { key } else { (key + 1) % 4 }].signer;
        let signature = sign(head.clone(), body, &HeaderMap::new(), form, signer).ok()?;
        let mut fields = HeaderMap::new();
        signature.apply(&mut fields);
        Some(Self { key, tag: tag.to_owned(), good, fields })
    }
}

fn judge<'a>(raw: &Raw, members: impl Iterator<Item = &'a Member>, policy: &Arc<Policy>) -> Result<Identity, Code> {
    let mut raw = raw.clone();
    for member in members {
        for (name, value) in &member.fields {
            if name == "content-digest" {
                raw.headers.insert(name, value.clone());
            } else {
                raw.headers.append(name, value.clone());
            }
        }
    }
    let head = raw.head().map_err(|rejection| rejection.code())?;
    pass(head, &raw.body, &HeaderMap::new(), usize::MAX, &KEYS, policy, NOW).map(|ready| ready.identity().clone())
}
