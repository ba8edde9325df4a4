//! `@query-param`, RFC 9421 §2.2.8.

use std::collections::HashMap;
use std::fmt::Write;

use super::{Component, Parameter, malformed};
use crate::rejection::Rejection;

/// The query parameters that are covered, found in one pass over the query however many there are.
pub(super) struct Parameters<'h>(HashMap<&'h str, Found<'h>>);

#[derive(Clone, Copy)]
enum Found<'h> {
    Never,
    Once(&'h str),
    Twice,
}

impl<'h> Parameters<'h> {
    pub(super) fn read(query: &'h str, components: &'h [Component<'h>]) -> Self {
        let wanted = components.iter().filter_map(name_of);
        let mut found: HashMap<_, _> = wanted.map(|name| (name, Found::Never)).collect();
        let mut name = String::new();
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (raw_name, raw_value) = pair.split_once('=').unwrap_or((pair, ""));
            name.clear();
            recode(raw_name, &mut name);
            if let Some(found) = found.get_mut(name.as_str()) {
                *found = if matches!(found, Found::Never) { Found::Once(raw_value) } else { Found::Twice };
            }
        }
        Self(found)
    }

    /// Appends the value, decoded as a form and encoded again; a name that occurs twice can't be covered.
    pub(super) fn write(&self, component: &Component<'_>, out: &mut String) -> Result<(), Rejection> {
        match name_of(component).and_then(|name| self.0.get(name)) {
            Some(Found::Once(value)) => recode(value, out),
            Some(Found::Twice) => return Err(malformed("a covered query parameter occurs twice")),
            Some(Found::Never) | None => return Err(malformed("a covered query parameter is absent")),
        }
        Ok(())
    }
}

fn name_of<'a>(component: &'a Component<'_>) -> Option<&'a str> {
    component.parameters.iter().find_map(|p| if let Parameter::Name(name) = p { Some(name.as_ref()) } else { None })
}

/// Decodes as a form and encodes again.
fn recode(raw: &str, out: &mut String) {
    let bytes = raw.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        let byte = match bytes[at] {
            b'+' => b' ',
            b'%' => {
                // The target was parsed: an escape has its two digits.
                let digits = raw.get(at + 1..at + 3).and_then(|digits| u8::from_str_radix(digits, 16).ok());
                at += 2;
                digits.unwrap_or(b'%')
            }
            byte => byte,
        };
        at += 1;
        if byte.is_ascii_alphanumeric() || matches!(byte, b'*' | b'-' | b'.' | b'_') {
            out.push(char::from(byte));
        } else {
            // Writing to a string can't fail.
            let _ = write!(out, "%{byte:02X}");
        }
    }
}
