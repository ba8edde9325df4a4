//! `value; name=value; name="value"`, as the header fields of a form and of its parts have it, in one spelling each.

use crate::json::Malformed;

/// More than any header field of a form has, and few enough to look at each for each.
const MAX_PARAMETERS: usize = 16;

/// Names as they came, and what they say.
pub(super) type Parameters<'a> = Vec<(&'a str, &'a str)>;

/// The value and its parameters. Receivers disagree about backslashes (an escape, or a part of a path that Windows
/// wrote), so there are none; and about `name*`, `name*0` (RFC 2231), so there are none either. `%22` is what it is: three
/// characters.
pub(super) fn read(field: &str) -> Result<(&str, Parameters<'_>), Malformed> {
    const FORM: Malformed = Malformed("a parameter of a multipart header is not name=token or name=\"text\"");
    let (value, mut rest) = field.split_at(field.find(';').unwrap_or(field.len()));
    let mut parameters = Parameters::new();
    while let Some(parameter) = rest.strip_prefix(';') {
        let (name, after) = parameter.trim_start_matches(BLANK).split_once('=').ok_or(FORM)?;
        if !is_token(name) {
            return Err(FORM);
        }
        if name.contains('*') {
            return Err(Malformed("a multipart header has an extended parameter such as filename*"));
        }
        if parameters.iter().any(|(known, _)| known.eq_ignore_ascii_case(name)) {
            return Err(Malformed("a parameter of a multipart header stands twice"));
        }
        if parameters.len() == MAX_PARAMETERS {
            return Err(Malformed("a multipart header has too many parameters"));
        }
        let (text, after) = match after.strip_prefix('"') {
            Some(quoted) => quoted.split_once('"').ok_or(FORM)?,
            None => match after.split_at(after.find([';', ' ', '\t']).unwrap_or(after.len())) {
                (token, after) if is_token(token) => (token, after),
                _ => return Err(FORM),
            },
        };
        if text.contains(|character: char| character == '\\' || character.is_control()) {
            return Err(Malformed("a parameter of a multipart header holds a backslash or a control character"));
        }
        parameters.push((name, text));
        rest = after.trim_start_matches(BLANK);
    }
    if rest.is_empty() { Ok((value.trim_matches(BLANK), parameters)) } else { Err(FORM) }
}

/// Blanks around the things of a header field.
pub(super) const BLANK: [char; 2] = [' ', '\t'];

/// RFC 9110 §5.6.2.
pub(super) fn is_token(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
}
