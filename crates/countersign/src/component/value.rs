//! The values of components in one message.

use super::query::Parameters;
use super::{Component, Name, Parameter, field, malformed};
use crate::message::Head;
use crate::rejection::{Code, Rejection};
use crate::scheme::http_message_signatures::CONTENT_DIGEST;

/// The values that these components have in this message. A long field or query of which many components take a part is
/// taken apart once, so that the whole costs no more than the message is long.
pub(crate) struct Values<'h> {
    head: &'h Head,
    components: &'h [Component<'h>],
    dictionaries: field::Dictionaries,
    /// The covered query parameters, once one was asked for: of this message and of the request that it answers.
    parameters: [Option<Parameters<'h>>; 2],
}

impl<'h> Values<'h> {
    pub(crate) fn new(head: &'h Head, components: &'h [Component<'h>]) -> Self {
        Self { head, components, dictionaries: field::Dictionaries::default(), parameters: [None, None] }
    }

    /// Appends the value of one of the components.
    ///
    /// # Errors
    /// `malformed` where the message has no such part, or the part no such form: absent is an error, empty is a value.
    pub(crate) fn write(&mut self, component: &Component<'_>, out: &mut String) -> Result<(), Rejection> {
        let of_request = component.parameters.contains(&Parameter::Request);
        let head = if of_request {
            self.head.answered().ok_or_else(|| malformed("req belongs to a response to a request that is known"))?
        } else {
            self.head
        };
        match &component.name {
            Name::Field(name) => self.write_field(head, component, name, out),
            Name::Status => {
                let status = head.status().ok_or_else(|| malformed("@status belongs to a response"))?;
                out.push_str(status.as_str());
                Ok(())
            }
            Name::QueryParam => {
                let target = head.parsed_target().ok_or_else(|| malformed(NO_REQUEST))?;
                let query = target.query().unwrap_or_default();
                let covered = &mut self.parameters[usize::from(of_request)];
                covered.get_or_insert_with(|| Parameters::read(query, self.components)).write(component, out)
            }
            name => write_derived(head, name, out),
        }
    }

    fn write_field(
        &mut self,
        head: &'h Head,
        component: &Component<'_>,
        name: &str,
        out: &mut String,
    ) -> Result<(), Rejection> {
        let absent = || Rejection::new(Code::Malformed, format!("{name} is covered, and absent from the message"));
        let section = component.section();
        if component.parameters.contains(&Parameter::ByteSequence) {
            return field::write_lines_as_bytes(head, section, name, out).then_some(()).ok_or_else(absent);
        }
        for parameter in &component.parameters {
            if let Parameter::Key(key) = parameter {
                let place = (component.parameters.contains(&Parameter::Request), section);
                let value = || head.joined_of(section, name)?.ok_or_else(absent);
                return self.dictionaries.write_member(place, name, value, key, out);
            }
        }
        // Covered by nearly every signature: a name that need not be read is found sooner.
        let value = match name {
            "content-digest" => head.joined_of(section, &CONTENT_DIGEST)?,
            _ => head.joined_of(section, name)?,
        }
        .ok_or_else(absent)?;
        if component.parameters.contains(&Parameter::Structured) {
            return field::write_strict(&value, name, out);
        }
        out.push_str(&value);
        Ok(())
    }
}

fn write_derived(head: &Head, name: &Name<'_>, out: &mut String) -> Result<(), Rejection> {
    let (Some(method), Some(target), Some(origin)) = (head.method(), head.parsed_target(), head.origin()) else {
        return Err(malformed(NO_REQUEST));
    };
    match name {
        // RFC 9421 §2.2.1: "The method name is case sensitive", and goes in as it is.
        Name::Method => out.push_str(method.as_str()),
        Name::Authority => out.push_str(origin.authority()),
        Name::Scheme => out.push_str(origin.scheme()),
        Name::RequestTarget => out.push_str(target.raw()),
        Name::Path => out.push_str(target.path()),
        Name::Query => {
            // RFC 9421 §2.2.7: "If the query string is absent from the request message, the component value is the leading
            // ? character alone"; an empty query reads the same, which the policy looks after.
            out.push('?');
            out.push_str(target.query().unwrap_or_default());
        }
        Name::TargetUri => {
            out.push_str(origin.scheme());
            out.push_str("://");
            out.push_str(origin.authority());
            out.push_str(target.path());
            if let Some(query) = target.query() {
                out.push('?');
                out.push_str(query);
            }
        }
        Name::QueryParam | Name::Status | Name::Field(_) => {
            return Err(malformed("not a derived component of a request"));
        }
    }
    Ok(())
}

const NO_REQUEST: &str = "a response has no derived component but @status without req";
