//! The header of one part of a form, which is read strictly because little of it is signed.

use super::parameters::{self, BLANK, is_token};
use crate::json::Malformed;

/// The header of a part. Nothing is unescaped anywhere, so everything is where it came.
pub(super) struct PartHeader<'a> {
    pub(super) name: &'a str,
    pub(super) file_name: Option<&'a str>,
    content_type: Option<&'a str>,
    /// What it says of its content's length.
    length: Option<&'a str>,
}

impl<'a> PartHeader<'a> {
    /// Reads its lines, without the empty one behind them.
    pub(super) fn read(header: &'a [u8]) -> Result<Self, Malformed> {
        let header = str::from_utf8(header).map_err(|_| Malformed("the header of a part is not UTF-8"))?;
        let (mut disposition, mut content_type, mut length, mut encoding) = (None, None, None, None);
        for line in header.split("\r\n") {
            let (name, value) = line.split_once(':').ok_or(Malformed("a header line of a part has no colon"))?;
            let value = value.trim_matches(BLANK);
            // Bare line ends above all: some receivers would see another header field behind them.
            if value.contains(char::is_control) {
                return Err(Malformed("a header line of a part holds a control character"));
            }
            let field = match name.to_ascii_lowercase().as_str() {
                "content-disposition" => &mut disposition,
                "content-type" => &mut content_type,
                "content-length" => &mut length,
                "content-transfer-encoding" => &mut encoding,
                _ => return Err(Malformed("a part has a header that a form does not need")),
            };
            if field.replace(value).is_some() {
                return Err(Malformed("a part has a header twice"));
            }
        }
        if encoding.is_some_and(|encoding| !encoding.eq_ignore_ascii_case("binary")) {
            return Err(Malformed("a part has a Content-Transfer-Encoding other than binary"));
        }
        let (name, file_name) = names(disposition.ok_or(Malformed("a part has no Content-Disposition"))?)?;
        Ok(Self { name, file_name, content_type, length })
    }

    /// What it says of the length of its content, to be compared once that is known.
    pub(super) fn length(&self) -> Option<&'a str> {
        self.length
    }

    /// Whether this can be the header of a field. Its content type is not signed, so it may say only what holds without it.
    pub(super) fn is_text(&self) -> Result<(), Malformed> {
        if self.file_name.is_some() {
            return Err(Malformed("a part other than file has a file name"));
        }
        if let Some(content_type) = self.content_type {
            let (kind, parameters) = parameters::read(content_type)?;
            let plain = kind.eq_ignore_ascii_case("text/plain")
                && parameters
                    .iter()
                    .all(|(name, value)| name.eq_ignore_ascii_case("charset") && value.eq_ignore_ascii_case("utf-8"));
            if !plain {
                return Err(Malformed("a text part is of another type than text/plain in UTF-8"));
            }
        }
        Ok(())
    }

    /// The content type of the file, as it is signed and goes on.
    pub(super) fn file_type(&self) -> Result<Option<&'a str>, Malformed> {
        let Some(content_type) = self.content_type else { return Ok(None) };
        let (kind, _) = parameters::read(content_type)?;
        let form = kind.split_once('/').is_some_and(|(kind, subtype)| is_token(kind) && is_token(subtype));
        if !form || !content_type.is_ascii() {
            return Err(Malformed("the content type of the file is not type/subtype in ASCII"));
        }
        if kind.len() >= 10 && kind[..10].eq_ignore_ascii_case("multipart/") {
            // RFC 2388 had several files so, and some receivers still look inside.
            return Err(Malformed("the file is a multipart document itself"));
        }
        Ok(Some(content_type))
    }
}

/// `form-data; name="…"; filename="…"`.
fn names(disposition: &str) -> Result<(&str, Option<&str>), Malformed> {
    let (kind, parameters) = parameters::read(disposition)?;
    if !kind.eq_ignore_ascii_case("form-data") {
        return Err(Malformed("a part is not form-data"));
    }
    let (mut name, mut file_name) = (None, None);
    for (parameter, value) in parameters {
        if parameter.eq_ignore_ascii_case("name") {
            name = Some(value);
        } else if parameter.eq_ignore_ascii_case("filename") {
            file_name = Some(value);
        } else {
            return Err(Malformed("a Content-Disposition has a parameter other than name and filename"));
        }
    }
    let name = name.filter(|name| !name.is_empty()).ok_or(Malformed("a part has no name"))?;
    if name == "_charset_" {
        // RFC 7578 §4.6: to some receivers it changes what the other fields say.
        return Err(Malformed("a part named _charset_ sets an encoding"));
    }
    if let Some(file_name) = file_name
        && (file_name.contains('/') || matches!(file_name, "" | "." | ".."))
    {
        // Receivers cut paths off, or follow them; an empty name means no file to some.
        return Err(Malformed("the file name is empty or holds a path"));
    }
    Ok((name, file_name))
}
