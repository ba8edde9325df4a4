//! The fields of an answer on their way to the caller.

use std::ops::Range;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue};

use crate::framing::Field;
use crate::headers::{TRACE, TRACE_NAME};
use crate::trace::TraceId;

/// The field lines of an answer as the upstream wrote them: found to be well-formed, and copied from its head into ours. A map of
/// them costs as much as all else that is done for a small answer, and nearly nobody looks one up.
#[derive(Debug)]
pub(crate) struct Lines {
    head: Bytes,
    reason: Range<usize>,
    fields: Vec<Field>,
    /// What we call the request, said behind them.
    trace: Option<TraceId>,
}

impl Lines {
    /// `reason` and `fields` is where they stand in `head`.
    pub(crate) fn new(head: Bytes, reason: Range<usize>, fields: Vec<Field>) -> Self {
        Self { head, reason, fields, trace: None }
    }

    /// Why the status is what it is, in the upstream's words; often empty.
    pub(crate) fn reason(&self) -> &[u8] {
        &self.head[self.reason.clone()]
    }

    /// Each name, in the letters in which it came, and its value; then ours.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        let theirs = self.fields.iter().map(|field| (&self.head[field.name()], &self.head[field.value(&self.head)]));
        theirs.chain(self.trace.iter().map(|trace| (TRACE_NAME.as_bytes(), trace.as_bytes())))
    }

    /// Says behind them what we call the request.
    pub(crate) fn tell(&mut self, trace: TraceId) {
        self.trace = Some(trace);
    }

    /// Leaves out those whose names are not `kept`.
    pub(crate) fn retain(&mut self, kept: impl Fn(&[u8]) -> bool) {
        let Self { head, fields, .. } = self;
        fields.retain(|field| kept(&head[field.name()]));
    }

    /// The values of a field.
    pub(crate) fn values(&self, name: &str) -> impl Iterator<Item = &[u8]> {
        let named = move |field: &&Field| self.head[field.name()].eq_ignore_ascii_case(name.as_bytes());
        self.fields.iter().filter(named).map(|field| &self.head[field.value(&self.head)])
    }

    /// Whether a field that is a list has this member.
    pub(crate) fn has_option(&self, name: &str, option: &str) -> bool {
        let mut members = self.values(name).flat_map(|value| value.split(|byte| *byte == b','));
        members.any(|member| member.trim_ascii().eq_ignore_ascii_case(option.as_bytes()))
    }

    /// Puts them into a map, for those who look them up.
    pub(crate) fn put_into(&self, headers: &mut HeaderMap) {
        for field in &self.fields {
            // They were read as strictly as a map takes them.
            let name = HeaderName::from_bytes(&self.head[field.name()]);
            let value = HeaderValue::from_maybe_shared(self.head.slice(field.value(&self.head)));
            if let (Ok(name), Ok(value)) = (name, value) {
                headers.append(name, value);
            }
        }
        if let Some(trace) = self.trace {
            headers.insert(TRACE, trace.header());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::framing::{is_field_byte, is_token};

    #[test]
    fn a_map_takes_what_the_framing_takes() {
        for byte in 0..=255 {
            assert_eq!(HeaderName::from_bytes(&[byte]).is_ok(), is_token(byte), "{byte}");
            assert_eq!(HeaderValue::from_bytes(&[byte]).is_ok(), is_field_byte(byte), "{byte}");
        }
    }
}
