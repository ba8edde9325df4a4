use std::fmt;

use sfv::{BareItem, ListEntry, Parser};

use crate::component::write_string;
use crate::policy::Policy;
use crate::rejection::{Code, Rejection};
use crate::scheme::http_message_signatures::Input;
use crate::sign::Form;
use crate::structured;

/// A signature that somebody asks for: one member of an `Accept-Signature` field (RFC 9421 §5.1). In a response it speaks of
/// the next request, in a request of its response.
///
/// ```
/// use countersign::AcceptSignature;
///
/// let field = r#"sig1=("@method" "@path" "content-digest");created;keyid="acme-1";tag="orders""#;
/// let asked = AcceptSignature::parse(field)?;
/// assert_eq!(asked[0].cover, [r#""@method""#, r#""@path""#, r#""content-digest""#]);
/// assert_eq!(asked[0].to_string(), field);
/// // What to sign with, where our key is another one than we were asked for:
/// let form = asked[0].form("acme-2");
/// assert_eq!((form.key_id.as_str(), form.tag.as_deref()), ("acme-2", Some("orders")));
/// # Ok::<(), countersign::Rejection>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AcceptSignature {
    /// The label that the signature is to have.
    pub label: String,
    /// What is to be covered, as RFC 9421 §2 writes identifiers: `"@method"`, `"content-digest";req`.
    pub cover: Vec<String>,
    /// Whether `created` is asked for.
    pub created: bool,
    /// Whether `expires` is asked for.
    pub expires: bool,
    /// The very `nonce` that is to be used.
    pub nonce: Option<String>,
    /// The registered name of the algorithm.
    pub alg: Option<String>,
    /// The key that is asked for.
    pub key_id: Option<String>,
    /// The `tag` that it is to carry.
    pub tag: Option<String>,
}

impl AcceptSignature {
    /// Reads a field, its lines joined with `, `. Parameters that RFC 9421 does not know are passed over.
    ///
    /// # Errors
    /// `malformed` where it is no dictionary of inner lists of components, names a label twice or more than 16, or where a
    /// parameter is of another type than §5.1 gives it.
    pub fn parse(field: &str) -> Result<Vec<Self>, Rejection> {
        let members = structured::dictionary(field, "Accept-Signature", 16)?;
        members.iter().map(|member| Self::parse_member(member.name, member.raw)).collect()
    }

    fn parse_member(label: &str, raw: &str) -> Result<Self, Rejection> {
        let malformed = |why| Rejection::new(Code::Malformed, why);
        let list: sfv::List =
            Parser::new(raw).parse().map_err(|_| malformed("Accept-Signature holds no inner list"))?;
        let [ListEntry::InnerList(list)] = list.as_slice() else {
            return Err(malformed("Accept-Signature holds no inner list"));
        };
        let cover: Vec<String> = list.items.iter().map(sfv::FieldType::serialize).collect();
        Input::parse(&format!("({})", cover.join(" ")))?;
        let mut asked = Self { label: label.to_owned(), cover, ..Self::default() };
        for (name, value) in &list.params {
            let (flag, text) = match name.as_str() {
                "created" => (Some(&mut asked.created), None),
                "expires" => (Some(&mut asked.expires), None),
                "nonce" => (None, Some(&mut asked.nonce)),
                "alg" => (None, Some(&mut asked.alg)),
                "keyid" => (None, Some(&mut asked.key_id)),
                "tag" => (None, Some(&mut asked.tag)),
                _ => continue,
            };
            match (value, flag, text) {
                (BareItem::Boolean(asked), Some(flag), _) => *flag = *asked,
                (BareItem::String(given), _, Some(text)) => *text = Some(given.as_str().to_owned()),
                _ => return Err(malformed("a parameter of Accept-Signature is of another type")),
            }
        }
        Ok(asked)
    }

    /// What a policy asks of the next request. `nonce` is put in where the policy demands one: there it can be asked for by
    /// its value only.
    #[must_use]
    pub fn of(policy: &Policy, has_body: bool, nonce: Option<&str>) -> Self {
        let demands = policy.demands();
        let settings = &demands.http_message_signatures;
        let wanted = demands
            .require
            .iter()
            .filter(|name| has_body || !matches!(name.as_str(), "content-digest" | "content-type"));
        Self {
            label: "sig1".to_owned(),
            cover: wanted.map(|name| identifier(name)).collect(),
            created: true,
            expires: false,
            nonce: nonce.filter(|_| !settings.nonce_optional).map(str::to_owned),
            alg: match settings.algorithms[..] {
                [algorithm] => Some(algorithm.as_str().to_owned()),
                _ => None,
            },
            key_id: None,
            tag: settings.tag.clone(),
        }
    }

    /// The form in which `key_id` signs what is asked for. The nonce is given to [`crate::Draft::finish`]; that the key is of
    /// the algorithm asked for is for the caller to see to. Where `expires` is asked for, [`Form::expires_after`] is to be set.
    #[must_use]
    pub fn form(&self, key_id: &str) -> Form {
        Form {
            cover: Some(self.cover.clone()),
            label: Some(self.label.clone()),
            tag: self.tag.clone(),
            ..Form::new(crate::Scheme::HttpMessageSignatures, key_id)
        }
    }
}

impl fmt::Display for AcceptSignature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}=({})", self.label, self.cover.join(" "))?;
        for (name, asked) in [("created", self.created), ("expires", self.expires)] {
            if asked {
                write!(f, ";{name}")?;
            }
        }
        for (name, text) in [("nonce", &self.nonce), ("alg", &self.alg), ("keyid", &self.key_id), ("tag", &self.tag)] {
            if let Some(text) = text {
                write!(f, ";{name}={}", quoted(text))?;
            }
        }
        Ok(())
    }
}

/// A demand as an identifier: `@method` as `"@method"`, `@method;req` as `"@method";req`.
fn identifier(demand: &str) -> String {
    let (name, parameters) = demand.split_at(demand.find(';').unwrap_or(demand.len()));
    quoted(name) + parameters
}

fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    write_string(&mut out, text);
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::{Demands, HttpMessageSignatures};

    #[test]
    fn what_is_asked_for_is_read_as_rfc_9421_section_5_1_writes_it() {
        let field = "sig1=(\"@method\" \"@target-uri\" \"@authority\" \"content-digest\" \"cache-control\");keyid=\"test-key-rsa-pss\";\
                     created;tag=\"app-123\", other=(\"@status\" \"content-digest\";req \"a\";key=\"b\";bs=?0);x=1";
        // `bs` as false is no parameter that a component may have.
        assert!(AcceptSignature::parse(field).is_err());
        let asked = AcceptSignature::parse(&field.replace(";bs=?0", "")).unwrap();
        assert_eq!(asked.len(), 2);
        assert_eq!(
            (asked[0].key_id.as_deref(), asked[0].created, asked[0].cover.len()),
            (Some("test-key-rsa-pss"), true, 5)
        );
        assert_eq!(asked[1].cover, ["\"@status\"", "\"content-digest\";req", "\"a\";key=\"b\""]);
        let form = asked[0].form("mine");
        assert_eq!((form.label.as_deref(), form.tag.as_deref()), (Some("sig1"), Some("app-123")));
        for bad in
            ["sig1=1", "sig1", "sig1=(a)", "sig1=();created=1", "sig1=();nonce", "a=(), a=()", "sig1=(\"a\" \"a\")"]
        {
            assert_eq!(AcceptSignature::parse(bad).map_err(|e| e.code()), Err(Code::Malformed), "{bad}");
        }
        assert_eq!(AcceptSignature::parse(""), Ok(vec![]));
    }

    #[test]
    fn a_policy_asks_for_what_it_demands() {
        let demands = Demands {
            require: vec!["@method".into(), "content-digest".into(), "x;req".into()],
            http_message_signatures: HttpMessageSignatures { tag: Some("a;\"b".into()), ..Default::default() },
            ..Demands::default()
        };
        let policy = Policy::new(demands).unwrap();
        let asked = AcceptSignature::of(&policy, false, Some("n"));
        let text = r#"sig1=("@method" "x";req);created;nonce="n";tag="a;\"b""#;
        assert_eq!(asked.to_string(), text);
        assert_eq!(AcceptSignature::parse(text).unwrap(), [asked]);
    }
}
