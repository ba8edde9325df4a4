mod field;
mod query;
#[cfg(test)]
mod tests;
mod value;

pub(crate) use value::Values;

use std::borrow::Cow;

use crate::message::Section;
use crate::rejection::{Code, Rejection};

/// A component identifier (RFC 9421 §2): what a signature covers, by name and parameters.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Component<'a> {
    pub(crate) name: Name<'a>,
    /// Parameters in the order they came: the order is part of the identifier's spelling, not of its meaning.
    pub(crate) parameters: Vec<Parameter<'a>>,
}

/// A derived component (RFC 9421 §2.2) or a field (§2.1).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Name<'a> {
    Method,
    TargetUri,
    Authority,
    Scheme,
    RequestTarget,
    Path,
    Query,
    QueryParam,
    Status,
    Field(Cow<'a, str>),
}

/// A component parameter (RFC 9421 §2.1 and §2.2.8).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Parameter<'a> {
    /// `sf`: the strict serialisation of a structured field.
    Structured,
    /// `key`: one member of a dictionary.
    Key(Cow<'a, str>),
    /// `bs`: each line as a byte sequence.
    ByteSequence,
    /// `req`: taken from the request that a response answers.
    Request,
    /// `tr`: taken from the trailers.
    Trailer,
    /// `name` of `@query-param`.
    Name(Cow<'a, str>),
}

impl<'a> Component<'a> {
    /// A component without parameters.
    pub(crate) fn bare(name: &'a str) -> Result<Self, Rejection> {
        Ok(Self { name: Name::parse(Cow::Borrowed(name))?, parameters: Vec::new() })
    }

    /// Checks that name and parameters go together (RFC 9421 §2.1, §2.2, §2.5).
    pub(crate) fn check(&self) -> Result<(), Rejection> {
        let has = |wanted: fn(&Parameter<'_>) -> bool| self.parameters.iter().any(wanted);
        let field = matches!(self.name, Name::Field(_));
        if has(|p| matches!(p, Parameter::Name(_))) != (self.name == Name::QueryParam) {
            return Err(malformed("the parameter name belongs to @query-param, and to each of them"));
        }
        if self.parameters.is_empty() {
            return Ok(());
        }
        let on_fields_only = |p: &Parameter<'_>| !matches!(p, Parameter::Request | Parameter::Name(_));
        if !field && self.parameters.iter().any(on_fields_only) {
            return Err(malformed("a derived component takes no parameter but req, and name for @query-param"));
        }
        let bytes = has(|p| matches!(p, Parameter::ByteSequence));
        if bytes && has(|p| matches!(p, Parameter::Structured | Parameter::Key(_))) {
            return Err(malformed("bs does not go with sf or key (RFC 9421 section 2.5)"));
        }
        if self.name == Name::Status && has(|p| matches!(p, Parameter::Request)) {
            return Err(malformed("@status has no req: a request has no status"));
        }
        Ok(())
    }

    /// Where a field is looked for (RFC 9421 §2.1.4): nowhere but there.
    pub(crate) fn section(&self) -> Section {
        if self.parameters.contains(&Parameter::Trailer) { Section::Trailer } else { Section::Header }
    }

    /// Appends the identifier in its strict serialisation: the start of its line in the signature base.
    pub(crate) fn write_identifier(&self, out: &mut String) {
        // No name has anything to escape.
        out.push('"');
        out.push_str(self.name.as_str());
        out.push('"');
        for parameter in &self.parameters {
            match parameter {
                Parameter::Structured => out.push_str(";sf"),
                Parameter::ByteSequence => out.push_str(";bs"),
                Parameter::Request => out.push_str(";req"),
                Parameter::Trailer => out.push_str(";tr"),
                Parameter::Key(key) => {
                    out.push_str(";key=");
                    write_string(out, key);
                }
                Parameter::Name(name) => {
                    out.push_str(";name=");
                    write_string(out, name);
                }
            }
        }
    }
}

impl<'a> Name<'a> {
    pub(crate) fn parse(name: Cow<'a, str>) -> Result<Self, Rejection> {
        Ok(match name.as_ref() {
            "@method" => Name::Method,
            "@target-uri" => Name::TargetUri,
            "@authority" => Name::Authority,
            "@scheme" => Name::Scheme,
            "@request-target" => Name::RequestTarget,
            "@path" => Name::Path,
            "@query" => Name::Query,
            "@query-param" => Name::QueryParam,
            "@status" => Name::Status,
            field if is_field_name(field) => Name::Field(name),
            other if other.starts_with('@') => return Err(malformed("an unknown derived component is covered")),
            _ => return Err(malformed("a covered field name is not one in lower case")),
        })
    }

    pub(crate) fn as_str(&self) -> &str {
        match self {
            Name::Method => "@method",
            Name::TargetUri => "@target-uri",
            Name::Authority => "@authority",
            Name::Scheme => "@scheme",
            Name::RequestTarget => "@request-target",
            Name::Path => "@path",
            Name::Query => "@query",
            Name::QueryParam => "@query-param",
            Name::Status => "@status",
            Name::Field(name) => name,
        }
    }
}

/// An HTTP field name (RFC 9110 §5.1) in lower case, as RFC 9421 §2.1 wants it.
fn is_field_name(name: &str) -> bool {
    !name.is_empty()
        && name.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9') || b"!#$%&'*+-.^_`|~".contains(&byte))
}

fn malformed(reason: &'static str) -> Rejection {
    Rejection::new(Code::Malformed, reason)
}

/// An sf-string (RFC 9651 §4.1.6). The text is printable ASCII: it came out of one, or is a name of ours.
pub(crate) fn write_string(out: &mut String, text: &str) {
    out.push('"');
    for piece in text.split_inclusive(['"', '\\']) {
        let plain = piece.trim_end_matches(['"', '\\']);
        out.push_str(plain);
        for special in piece[plain.len()..].chars() {
            out.push('\\');
            out.push(special);
        }
    }
    out.push('"');
}
