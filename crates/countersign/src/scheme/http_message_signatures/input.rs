mod general;
mod usual;

use std::borrow::Cow;

use crate::component::{Component, Parameter};
use crate::few::Few;
use crate::rejection::{Code, Rejection};
use crate::structured;

/// One member of `Signature-Input` (RFC 9421 §4.1): what is covered, and the signature parameters (§2.3).
#[derive(Debug, Default)]
pub(crate) struct Input<'a> {
    /// The member as it came: unknown parameters and the order of all of them are part of what is signed.
    pub(crate) raw: &'a str,
    pub(crate) components: Vec<Component<'a>>,
    /// Seconds since the epoch.
    pub(crate) created: Option<i64>,
    /// Seconds since the epoch.
    pub(crate) expires: Option<i64>,
    pub(crate) nonce: Option<Cow<'a, str>>,
    pub(crate) alg: Option<Cow<'a, str>>,
    pub(crate) keyid: Option<Cow<'a, str>>,
    pub(crate) tag: Option<Cow<'a, str>>,
}

const MAX_COMPONENTS: usize = 64;
/// An RFC 9421 `keyid`, and a nonce, have at most so many bytes.
const MAX_TEXT: usize = 256;

impl<'a> Input<'a> {
    /// The members of a `Signature-Input` by their labels, at most `limit`.
    ///
    /// # Errors
    /// `malformed` where the field is no dictionary, or has none or too many; and as [`Input::parse`].
    pub(crate) fn parse_all(field: &'a str, limit: usize) -> Result<Few<(&'a str, Self)>, Rejection> {
        // Nearly always there is one label, and its member need not be looked for before it is read (0.4 µs of 4). Where there
        // are more, this is none and its fault means nothing.
        if let Some((label, raw)) = structured::split_at_byte(field, b'=')
            && structured::is_key(label)
            && raw.starts_with('(')
            && !raw.ends_with([' ', '\t'])
            && let Ok(input) = Self::parse(raw)
        {
            return Ok((label, input).into());
        }
        let members = structured::dictionary(field, "Signature-Input", limit)?;
        if members.is_empty() {
            return Err(Rejection::new(Code::Malformed, "Signature-Input is empty"));
        }
        members.iter().map(|member| Ok((member.name, Self::parse(member.raw)?))).collect()
    }

    /// # Errors
    /// `malformed` for anything but one inner list of strings; for a component or parameter that is unknown, stands twice or
    /// has a value of another type; for empty or overlong texts; beyond 64 components or 32 parameters.
    pub(crate) fn parse(raw: &'a str) -> Result<Self, Rejection> {
        let input = usual::read(raw).map_or_else(|| general::read(raw), Ok)?;
        for (at, component) in input.components.iter().enumerate() {
            component.check()?;
            // At most 64 components: comparing all pairs is bounded.
            if input.components[..at].iter().any(|other| same(other, component)) {
                return Err(Rejection::new(Code::Malformed, "a component is covered twice"));
            }
        }
        Ok(input)
    }

    /// Whether a trailer of this message is covered, so that the base can be built behind its body only.
    pub(crate) fn has_trailers(&self) -> bool {
        let of_its_own = |component: &Component<'_>| {
            component.parameters.contains(&Parameter::Trailer) && !component.parameters.contains(&Parameter::Request)
        };
        self.components.iter().any(of_its_own)
    }
}

/// RFC 9421 §2: identifiers are the same whatever the order of their parameters.
fn same(a: &Component<'_>, b: &Component<'_>) -> bool {
    a.name == b.name
        && a.parameters.len() == b.parameters.len()
        && a.parameters.iter().all(|p| b.parameters.contains(p))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn foreign_order_and_unknown_parameters_are_kept() {
        let raw = r#"("@method" "@query-param";name="x" "a";key="b";sf);keyid="k";x=1.5;created=1795000000;alg="ed25519";nonce="n";y=:AA==:;expires=1795000007;tag="t""#;
        let input = Input::parse(raw).unwrap();
        assert_eq!(input.raw, raw);
        assert_eq!((input.created, input.expires), (Some(1_795_000_000), Some(1_795_000_007)));
        assert_eq!(input.keyid.as_deref(), Some("k"));
        assert_eq!(input.components.len(), 3);
        let mut identifiers = String::new();
        for component in &input.components {
            component.write_identifier(&mut identifiers);
        }
        assert_eq!(identifiers, r#""@method""@query-param";name="x""a";key="b";sf"#);
    }

    #[test]
    fn one_label_is_read_as_a_dictionary_of_one_would_be() {
        let labels = |field| {
            let inputs = Input::parse_all(field, 4).map_err(|e| e.code())?;
            Ok(inputs.into_iter().map(|(label, input)| (label.to_owned(), input.raw.to_owned())).collect::<Vec<_>>())
        };
        let one = |label: &str, raw: &str| (label.to_owned(), raw.to_owned());
        assert_eq!(labels("a=();x"), Ok(vec![one("a", "();x")]));
        assert_eq!(labels(" a=();x  "), Ok(vec![one("a", "();x")]));
        assert_eq!(labels("a=();x  "), Ok(vec![one("a", "();x")]));
        assert_eq!(labels("a=();x, b=()"), Ok(vec![one("a", "();x"), one("b", "()")]));
        for bad in [
            "",
            "a",
            "a=",
            "a= ()",
            "a =()",
            "A=()",
            "=()",
            "a=()=b",
            "a=(),",
            "a=(), ()",
            "a=(), b",
            "a=();x=(",
            "a=\"()\"",
            "a=(), a=()",
        ] {
            assert_eq!(labels(bad), Err(Code::Malformed), "{bad}");
        }
    }

    #[test]
    fn what_is_counted_has_an_end() {
        let read = |raw: &str| Input::parse(raw).map(drop).map_err(|rejection| rejection.code());
        // `x` keeps the short way of reading out of it.
        let components = |count: usize| (0..count).map(|at| format!("\"f{at}\"")).collect::<Vec<_>>().join(" ");
        let parameters = |count: usize| (0..count).map(|at| format!(";x{at}")).collect::<String>();
        for unknown in ["", ";x"] {
            let keyid = |length: usize| format!("(){unknown};keyid=\"{}\"", "k".repeat(length));
            assert_eq!((read(&keyid(256)), read(&keyid(257))), (Ok(()), Err(Code::Malformed)));
            let covering = |count| format!("({}){unknown}", components(count));
            assert_eq!((read(&covering(64)), read(&covering(65))), (Ok(()), Err(Code::Malformed)));
        }
        let with = |count| format!("(){}", parameters(count));
        assert_eq!((read(&with(32)), read(&with(33)), read(&with(40))), (Ok(()), REFUSED, REFUSED));
    }

    const REFUSED: Result<(), Code> = Err(Code::Malformed);

    #[test]
    fn what_is_not_one_list_of_known_components_is_refused() {
        for bad in [
            "",
            "1",
            "\"@method\"",
            "(@method)",
            "(\"@method\"), (\"@path\")",
            "(\"@method\" \"@method\")",
            "(\"a\";key=\"x\";bs)",
            "(\"a\";sf \"a\";sf)",
            "(\"@unknown\")",
            "(\"a\";unknown)",
            "(\"a\";sf=1)",
            "(\"a\";sf;sf)",
            "(\"a\";key=x)",
            "(\"@method\";sf)",
            "(\"@query-param\")",
            "(\"a\";name=\"b\")",
            "(\"@method\" 1)",
            "();created=1;created=1",
            "();created=1795000000;created=1795000000",
            "();keyid=\"a\";keyid=\"a\"",
            "();x=1;x=1",
            "();created=\"1\"",
            "();created=1.0",
            "();created=01795000000",
            "();created=01795000000;x=\"created=1795000000\"",
            "();created=-1795000000",
            "();created=1795000000000",
            "();created=9999999999999999",
            "();nonce=\"\"",
            "();keyid=k",
            "();keyid=\"\"",
            "()x",
        ] {
            assert_eq!(Input::parse(bad).map(|_| ()).map_err(|e| e.code()), Err(Code::Malformed), "{bad}");
        }
        let long = format!("();nonce=\"{}\"", "n".repeat(257));
        assert!(Input::parse(&long).is_err());
    }

    #[test]
    fn ten_thousand_components_or_parameters_are_refused_early() {
        let many: String = (0..10_000).map(|at| format!("\"h{at}\" ")).collect();
        assert!(Input::parse(&format!("({many})")).is_err());
        let many: String = (0..10_000).map(|at| format!(";p{at}")).collect();
        assert!(Input::parse(&format!("(){many}")).is_err());
    }
}
