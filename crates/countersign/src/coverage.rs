use http::HeaderName;

use crate::component::{Component, Name, Parameter};
use crate::few::Few;
use crate::message::Head;
use crate::scheme::http_message_signatures::CONTENT_DIGEST;
use crate::structured;

/// What a signature covers as a whole: bare names only, since a component with parameters never stands for its whole.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Coverage {
    pub(crate) derived: u16,
    fields: Few<HeaderName>,
    trailers: Few<HeaderName>,
    /// What a response covers of its request.
    pub(crate) request: Option<Box<Coverage>>,
    /// Labels of the `Signature` members that are covered one by one.
    signatures: Vec<String>,
}

pub(crate) const METHOD: u16 = 1;
pub(crate) const AUTHORITY: u16 = 1 << 1;
pub(crate) const SCHEME: u16 = 1 << 2;
pub(crate) const PATH: u16 = 1 << 3;
pub(crate) const QUERY: u16 = 1 << 4;
pub(crate) const REQUEST_TARGET: u16 = 1 << 5;
pub(crate) const TARGET_URI: u16 = 1 << 6;
/// Covered by name, not by its parts.
pub(crate) const REQUEST_TARGET_ITSELF: u16 = 1 << 7;
pub(crate) const TARGET_URI_ITSELF: u16 = 1 << 8;
pub(crate) const STATUS: u16 = 1 << 9;

/// The bit of a derived component; none for those that stand for no whole.
pub(crate) fn bit(name: &Name<'_>) -> u16 {
    match name {
        Name::Method => METHOD,
        Name::Authority => AUTHORITY,
        Name::Scheme => SCHEME,
        Name::Path => PATH,
        Name::Query => QUERY,
        Name::RequestTarget => REQUEST_TARGET,
        Name::TargetUri => TARGET_URI,
        Name::Status => STATUS,
        Name::QueryParam | Name::Field(_) => 0,
    }
}

impl Coverage {
    /// What these components cover.
    pub(crate) fn of(components: &[Component<'_>]) -> Self {
        let mut coverage = Self::default();
        for component in components {
            coverage.add(component);
        }
        coverage
    }

    fn add(&mut self, component: &Component<'_>) {
        match (component.parameters.as_slice(), &component.name) {
            ([], Name::Field(name)) => push(&mut self.fields, name),
            ([], derived) => self.add_derived(bit(derived)),
            (parameters, name) if parameters.contains(&Parameter::Request) => {
                let rest = parameters.iter().filter(|p| **p != Parameter::Request).cloned().collect();
                let component = Component { name: name.clone(), parameters: rest };
                self.request.get_or_insert_default().add(&component);
            }
            (parameters, Name::Field(name)) if parameters.contains(&Parameter::Trailer) => {
                // One member is not the whole.
                let whole = !parameters.iter().any(|p| matches!(p, Parameter::Key(_)));
                push(&mut self.trailers, if whole { name } else { "" });
            }
            ([Parameter::Key(label)], Name::Field(name)) if name == "signature" => {
                self.signatures.push(label.clone().into_owned());
            }
            _ => {}
        }
    }

    fn add_derived(&mut self, bit: u16) {
        self.derived |= match bit {
            TARGET_URI => TARGET_URI | TARGET_URI_ITSELF | SCHEME | AUTHORITY | PATH | QUERY,
            REQUEST_TARGET => REQUEST_TARGET | REQUEST_TARGET_ITSELF | PATH | QUERY,
            bit => bit,
        };
        let all = |bits: u16| self.derived & bits == bits;
        let (target, uri) = (all(PATH | QUERY), all(SCHEME | AUTHORITY | PATH | QUERY));
        self.derived |= if target { REQUEST_TARGET } else { 0 } | if uri { TARGET_URI } else { 0 };
    }

    /// Whether every signature of this head is covered, and there is one.
    pub(crate) fn has_signatures_of(&self, head: &Head) -> bool {
        let field = head.joined("signature").ok().flatten().unwrap_or_default();
        let members = structured::dictionary(&field, "Signature", 16).unwrap_or_default();
        !members.is_empty() && members.iter().all(|member| self.signatures.iter().any(|label| label == member.name))
    }

    /// Whether the whole of this field is covered.
    pub(crate) fn has_field(&self, name: &HeaderName) -> bool {
        self.fields.iter().any(|field| field == name)
    }

    /// Whether the whole of this trailer field is covered.
    pub(crate) fn has_trailer(&self, name: &HeaderName) -> bool {
        self.trailers.iter().any(|trailer| trailer == name)
    }
}

/// A name that the header map can't hold is absent from the message, which is an error of its own.
fn push(names: &mut Few<HeaderName>, name: &str) {
    if name == CONTENT_DIGEST.as_str() {
        // Covered by nearly every signature: to share it saves an allocation.
        names.push(CONTENT_DIGEST.clone());
    } else if let Ok(name) = HeaderName::from_bytes(name.as_bytes()) {
        names.push(name);
    }
}
