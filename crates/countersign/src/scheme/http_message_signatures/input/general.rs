//! Any `Signature-Input` member there can be, by the parser for structured fields.

use std::borrow::Cow;
use std::fmt;

use sfv::visitor::{EntryVisitor, InnerListVisitor, ItemVisitor, ListVisitor, Never, ParameterVisitor};
use sfv::{BareItemFromInput, KeyRef, Parser};

use super::{Input, MAX_COMPONENTS, MAX_TEXT};
use crate::component::{Component, Name, Parameter};
use crate::rejection::{Code, Rejection};
use crate::structured;

const MAX_PARAMETERS: usize = 32;

/// Reads a member.
pub(super) fn read(raw: &str) -> Result<Input<'_>, Rejection> {
    let input = Input { raw, ..Input::default() };
    let mut building = Building { input, unknown: Vec::new(), parameters: 0, lists: 0, fault: None };
    let parsed = Parser::new(raw).parse_list_with_visitor(&mut building);
    if let Some(fault) = building.fault {
        return Err(fault);
    }
    parsed.map_err(|_| Rejection::new(Code::Malformed, "Signature-Input is not an inner list with parameters"))?;
    if building.lists == 0 {
        return Err(Rejection::new(Code::Malformed, "Signature-Input is empty under a label"));
    }
    Ok(building.input)
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
