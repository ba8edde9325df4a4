//! The values of fields with the parameters `bs`, `key` and `sf`.

use std::borrow::Cow;

use crate::message::{Head, Section};
use crate::rejection::{Code, Rejection};

/// `;bs`: RFC 9421 §2.1.3. False where the field is absent.
pub(super) fn write_lines_as_bytes(head: &Head, section: Section, name: &str, out: &mut String) -> bool {
    use base64::Engine;
    let mut any = false;
    for line in head.lines(section, name) {
        if any {
            out.push_str(", ");
        }
        any = true;
        out.push(':');
        base64::engine::general_purpose::STANDARD.encode_string(line, out);
        out.push(':');
    }
    any
}

/// Fields of which members are covered, each parsed once.
#[derive(Default)]
pub(super) struct Dictionaries(Vec<(Place, String, sfv::Dictionary)>);

/// Where a field stands: whether in the request that is answered, and in which section.
type Place = (bool, Section);

impl Dictionaries {
    /// `;key`: RFC 9421 §2.1.2, the strict serialisation of one member of the field `name`, whose value is `value`.
    pub(super) fn write_member<'v>(
        &mut self,
        place: Place,
        name: &str,
        value: impl FnOnce() -> Result<Cow<'v, str>, Rejection>,
        key: &str,
        out: &mut String,
    ) -> Result<(), Rejection> {
        let not = |what: &str| Rejection::new(Code::Malformed, format!("{name} {what}"));
        // At most as many as there are components: looking at each is bounded.
        let known = self.0.iter().position(|(other, field, _)| *other == place && field == name);
        let at = if let Some(at) = known {
            at
        } else {
            let value = value()?;
            let dictionary = sfv::Parser::new(&*value).parse().map_err(|_| not("is no structured dictionary"))?;
            // RFC 9651 takes the last of two members of one name; another reader may take the first.
            crate::structured::dictionary(&value, "a field with a covered member", 1024)?;
            self.0.push((place, name.to_owned(), dictionary));
            self.0.len() - 1
        };
        let text = match self.0[at].2.get(key).ok_or_else(|| not("has no member of the covered name"))? {
            sfv::ListEntry::Item(item) => sfv::FieldType::serialize(item),
            sfv::ListEntry::InnerList(list) => {
                sfv::FieldType::serialize(&vec![sfv::ListEntry::InnerList(list.clone())]).unwrap_or_default()
            }
        };
        out.push_str(&text);
        Ok(())
    }
}

/// `;sf`: RFC 9421 §2.1.1, the strict serialisation. "If this parameter is included on a component identifier, the value
/// MUST be serialized using the formal serialization rules"; the kind of field has to be known.
pub(super) fn write_strict(value: &str, name: &str, out: &mut String) -> Result<(), Rejection> {
    use sfv::{FieldType, Parser};
    let not = || Rejection::new(Code::Malformed, format!("{name} is no structured field of the kind we know it as"));
    let text = match structured_kind(name) {
        Some(Kind::Item) => Parser::new(value).parse::<sfv::Item>().map_err(|_| not())?.serialize(),
        Some(Kind::List) => Parser::new(value).parse::<sfv::List>().map_err(|_| not())?.serialize().unwrap_or_default(),
        Some(Kind::Dictionary) => {
            Parser::new(value).parse::<sfv::Dictionary>().map_err(|_| not())?.serialize().unwrap_or_default()
        }
        None => {
            return Err(Rejection::new(
                Code::Malformed,
                format!("{name} is covered with sf, and not known to be structured"),
            ));
        }
    };
    out.push_str(&text);
    Ok(())
}

#[derive(Clone, Copy)]
enum Kind {
    Item,
    List,
    Dictionary,
}

/// Fields that their RFC defines as structured, from the IANA registry of HTTP field names, and the retrofit list that
/// senders use in practice (draft-ietf-httpbis-retrofit).
fn structured_kind(name: &str) -> Option<Kind> {
    Some(match name {
        "accept-signature"
        | "cdn-cache-control"
        | "content-digest"
        | "dictionary-id"
        | "priority"
        | "repr-digest"
        | "signature"
        | "signature-agent"
        | "signature-input"
        | "use-as-dictionary"
        | "want-content-digest"
        | "want-repr-digest"
        | "cache-control"
        | "prefer"
        | "preference-applied"
        | "surrogate-control" => Kind::Dictionary,
        "accept"
        | "accept-ch"
        | "accept-encoding"
        | "accept-language"
        | "accept-patch"
        | "accept-post"
        | "accept-ranges"
        | "access-control-allow-headers"
        | "access-control-allow-methods"
        | "access-control-expose-headers"
        | "access-control-request-headers"
        | "allow"
        | "cache-status"
        | "client-cert-chain"
        | "connection"
        | "content-encoding"
        | "content-language"
        | "example-list"
        | "proxy-status"
        | "ratelimit"
        | "ratelimit-policy"
        | "te"
        | "trailer"
        | "transfer-encoding"
        | "vary" => Kind::List,
        "access-control-allow-credentials"
        | "access-control-max-age"
        | "access-control-request-method"
        | "age"
        | "alt-used"
        | "capsule-protocol"
        | "client-cert"
        | "content-length"
        | "content-type"
        | "cross-origin-embedder-policy"
        | "cross-origin-opener-policy"
        | "deprecation"
        | "idempotency-key"
        | "max-forwards"
        | "origin-agent-cluster"
        | "x-content-type-options" => Kind::Item,
        "example-dict" => Kind::Dictionary,
        _ => return None,
    })
}
