use std::borrow::Cow;
use std::fmt;

use sfv::visitor::{EntryVisitor, InnerListVisitor, ItemVisitor, ListVisitor, Never, ParameterVisitor};
use sfv::{BareItemFromInput, KeyRef, Parser};

use crate::component::{Component, Name, Parameter};
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
const MAX_PARAMETERS: usize = 32;
/// An RFC 9421 `keyid`, and a nonce, have at most so many bytes.
const MAX_TEXT: usize = 256;

impl<'a> Input<'a> {
    /// The members of a `Signature-Input` by their labels, at most `limit`.
    ///
    /// # Errors
    /// `malformed` where the field is no dictionary, or has none or too many; and as [`Input::parse`].
    pub(crate) fn parse_all(field: &'a str, limit: usize) -> Result<Vec<(&'a str, Self)>, Rejection> {
        // Nearly always there is one label, and its member need not be looked for before it is read (0.4 µs of 4). Where there
        // are more, this is none and its fault means nothing.
        if let Some((label, raw)) = field.split_once('=')
            && structured::is_key(label)
            && raw.starts_with('(')
            && !raw.ends_with([' ', '\t'])
            && let Ok(input) = Self::parse(raw)
        {
            return Ok(vec![(label, input)]);
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
        let input = Input { raw, components: Vec::with_capacity(8), ..Input::default() };
        let mut building = Building { input, unknown: Vec::new(), parameters: 0, lists: 0, fault: None };
        let parsed = Parser::new(raw).parse_list_with_visitor(&mut building);
        if let Some(fault) = building.fault {
            return Err(fault);
        }
        parsed.map_err(|_| Rejection::new(Code::Malformed, "Signature-Input is not an inner list with parameters"))?;
        if building.lists == 0 {
            return Err(Rejection::new(Code::Malformed, "Signature-Input is empty under a label"));
        }
        let input = building.input;
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

/// Gathers what the parser comes by. The first fault of ours is kept, since the parser tells only that there was one.
struct Building<'a> {
    input: Input<'a>,
    /// Names of signature parameters that RFC 9421 does not know.
    unknown: Vec<&'a str>,
    /// How many signature parameters there were.
    parameters: usize,
    lists: usize,
    fault: Option<Rejection>,
}

impl<'a> Building<'a> {
    fn refuse<T>(&mut self, reason: &'static str) -> Result<T, Refused> {
        self.fault.get_or_insert_with(|| Rejection::new(Code::Malformed, reason));
        Err(Refused)
    }

    fn signature_parameter(&mut self, key: &'a str, value: BareItemFromInput<'a>) -> Result<(), Refused> {
        const TWICE: &str = "a signature parameter stands twice, or there are too many";
        self.parameters += 1;
        if self.parameters > MAX_PARAMETERS {
            return self.refuse(TWICE);
        }
        let slot = match key {
            "created" | "expires" => {
                let BareItemFromInput::Integer(seconds) = value else {
                    return self.refuse("created and expires are integers of seconds");
                };
                // One spelling: exactly 10 digits, no sign, no leading zero. The parser gives the number only.
                let seconds = i64::from(seconds);
                if !(1_000_000_000..=9_999_999_999).contains(&seconds) || self.digits_behind(key) != 10 {
                    return self.refuse("created and expires have exactly 10 digits");
                }
                let slot = if key == "created" { &mut self.input.created } else { &mut self.input.expires };
                return if slot.replace(seconds).is_some() { self.refuse(TWICE) } else { Ok(()) };
            }
            "nonce" => &mut self.input.nonce,
            "alg" => &mut self.input.alg,
            "keyid" => &mut self.input.keyid,
            "tag" => &mut self.input.tag,
            unknown if self.unknown.contains(&unknown) => return self.refuse(TWICE),
            unknown => {
                self.unknown.push(unknown);
                return Ok(());
            }
        };
        let BareItemFromInput::String(text) = value else {
            return self.refuse("nonce, alg, keyid and tag are strings");
        };
        let text = unwrap(text);
        if text.is_empty() || text.len() > MAX_TEXT {
            return self.refuse("nonce, alg, keyid and tag have 1 to 256 characters");
        }
        if slot.replace(text).is_some() { self.refuse(TWICE) } else { Ok(()) }
    }

    /// How many digits stand behind the `=` of this parameter, as it came.
    fn digits_behind(&self, key: &'a str) -> usize {
        let value = structured::place_in(self.input.raw, key) + key.len() + 1;
        let value = self.input.raw.as_bytes().get(value..).unwrap_or_default();
        value.iter().take_while(|byte| byte.is_ascii_digit()).count()
    }

    fn component_parameter(&mut self, key: &'a str, value: BareItemFromInput<'a>) -> Result<(), Refused> {
        let parameter = match (key, value) {
            ("sf", BareItemFromInput::Boolean(true)) => Parameter::Structured,
            ("bs", BareItemFromInput::Boolean(true)) => Parameter::ByteSequence,
            ("req", BareItemFromInput::Boolean(true)) => Parameter::Request,
            ("tr", BareItemFromInput::Boolean(true)) => Parameter::Trailer,
            ("key", BareItemFromInput::String(text)) => Parameter::Key(unwrap(text)),
            ("name", BareItemFromInput::String(text)) => Parameter::Name(unwrap(text)),
            _ => return self.refuse("a covered component has a parameter that is unknown or of another type"),
        };
        let Some(component) = self.input.components.last_mut() else {
            return self.refuse("a parameter without a component");
        };
        let kind = std::mem::discriminant(&parameter);
        if component.parameters.iter().any(|other| std::mem::discriminant(other) == kind) {
            return self.refuse("a component parameter stands twice");
        }
        component.parameters.push(parameter);
        Ok(())
    }
}

fn unwrap<'a>(text: Cow<'a, sfv::StringRef>) -> Cow<'a, str> {
    match text {
        Cow::Borrowed(text) => Cow::Borrowed(text.as_str()),
        Cow::Owned(text) => Cow::Owned(text.into()),
    }
}

#[derive(Debug)]
struct Refused;

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("refused")
    }
}

impl std::error::Error for Refused {}

impl<'a> ListVisitor<'a> for &mut Building<'a> {
    type Out = ();
    type Error = Refused;

    fn entry(&mut self) -> Result<impl EntryVisitor<'a>, Refused> {
        self.lists += 1;
        if self.lists > 1 {
            return self.refuse("Signature-Input holds more than one list under a label");
        }
        Ok(Entry(self))
    }

    fn finish(self) -> Result<(), Refused> {
        Ok(())
    }
}

struct Entry<'b, 'a>(&'b mut Building<'a>);

impl<'a> EntryVisitor<'a> for Entry<'_, 'a> {
    type Error = Refused;

    fn item(self) -> Result<impl ItemVisitor<'a>, Refused> {
        self.0.refuse::<Never>("Signature-Input holds something else than an inner list")
    }

    fn inner_list(self) -> Result<impl InnerListVisitor<'a>, Refused> {
        Ok(self)
    }
}

impl<'a> InnerListVisitor<'a> for Entry<'_, 'a> {
    type Error = Refused;

    fn item(&mut self) -> Result<impl ItemVisitor<'a>, Refused> {
        Ok(ComponentVisitor(self.0))
    }

    fn finish(self) -> Result<impl ParameterVisitor<'a>, Refused> {
        Ok(self)
    }
}

impl<'a> ParameterVisitor<'a> for Entry<'_, 'a> {
    type Out = ();
    type Error = Refused;

    fn parameter(&mut self, key: &'a KeyRef, value: BareItemFromInput<'a>) -> Result<(), Refused> {
        self.0.signature_parameter(key.as_str(), value)
    }

    fn finish(self) -> Result<(), Refused> {
        Ok(())
    }
}

struct ComponentVisitor<'b, 'a>(&'b mut Building<'a>);

impl<'a> ItemVisitor<'a> for ComponentVisitor<'_, 'a> {
    type Out = ();
    type Error = Refused;

    fn bare_item(self, item: BareItemFromInput<'a>) -> Result<impl ParameterVisitor<'a, Out = ()>, Refused> {
        let BareItemFromInput::String(name) = item else {
            return self.0.refuse("a covered component is not a string");
        };
        if self.0.input.components.len() >= MAX_COMPONENTS {
            return self.0.refuse("more than 64 components are covered");
        }
        match Name::parse(unwrap(name)) {
            Ok(name) => {
                self.0.input.components.push(Component { name, parameters: Vec::new() });
                Ok(self)
            }
            Err(rejection) => {
                self.0.fault.get_or_insert(rejection);
                Err(Refused)
            }
        }
    }
}

impl<'a> ParameterVisitor<'a> for ComponentVisitor<'_, 'a> {
    type Out = ();
    type Error = Refused;

    fn parameter(&mut self, key: &'a KeyRef, value: BareItemFromInput<'a>) -> Result<(), Refused> {
        self.0.component_parameter(key.as_str(), value)
    }

    fn finish(self) -> Result<(), Refused> {
        Ok(())
    }
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
