//! The two kinds of bodies, behind the three questions that verifying and signing ask of either.

use bytes::Bytes;
use http::HeaderValue;

use super::multipart::{self, Form};
use super::{nonce, refuse_multipart_printing, rfc3339, seconds, timestamp};
use crate::json::{Document, Malformed};
use crate::message::Head;
use crate::policy::Pki;
use crate::rejection::{Code, Rejection};
use crate::scheme::{Payload, media_type};
use crate::time::Timestamp;

/// What the head says of the body.
pub(super) enum Kind {
    Json,
    /// With its boundary.
    Multipart(String),
}

impl Kind {
    /// `None` for a media type that this scheme does not take.
    pub(super) fn of(head: &Head) -> Result<Option<Self>, Malformed> {
        Ok(match media_type(head).as_deref() {
            Some("application/json") => Some(Self::Json),
            Some("multipart/form-data") => {
                let content_type = head.headers().get(http::header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
                Some(Self::Multipart(multipart::boundary(content_type.unwrap_or_default())?.to_owned()))
            }
            _ => None,
        })
    }
}

pub(super) enum Body<'a> {
    Json(Document<'a>),
    Form(Form),
}

impl<'a> Body<'a> {
    pub(super) fn read(kind: &Kind, body: &'a [u8]) -> Result<Self, Malformed> {
        match kind {
            Kind::Json => {
                let document = Document::parse(body)?;
                refuse_multipart_printing(document.root())?;
                Ok(Self::Json(document))
            }
            Kind::Multipart(boundary) => Form::read(body, boundary).map(Self::Form),
        }
    }

    /// `timestamp`, where there is one.
    pub(super) fn timestamp(&self, settings: &Pki) -> Result<Option<Timestamp>, Rejection> {
        match self {
            Self::Json(document) => {
                document.root().member("timestamp").map(|value| timestamp(value, settings)).transpose()
            }
            Self::Form(form) => form.field("timestamp").map(|text| time_of_field(text, settings)).transpose(),
        }
    }

    /// `message_id`, where there is one.
    pub(super) fn nonce(&self) -> Result<Option<Vec<u8>>, Rejection> {
        match self {
            Self::Json(document) => document.root().member("message_id").map(|value| nonce(value.as_str())).transpose(),
            Self::Form(form) => form.field("message_id").map(|text| nonce(Some(text.into()))).transpose(),
        }
    }

    /// What is signed.
    pub(super) fn printed(&self) -> Vec<u8> {
        let mut out = Vec::new();
        match self {
            Self::Json(document) => document.print_python(&mut out),
            Self::Form(form) => form.print_python(&mut out),
        }
        out
    }

    /// What goes on.
    pub(super) fn rebuilt(&self, signed: &[u8]) -> Result<Payload, Malformed> {
        match self {
            // Nobody signed the content type: a charset in it would make another document of the same bytes.
            Self::Json(_) => {
                let content_type = HeaderValue::from_static("application/json");
                Ok(Payload::Derived(Bytes::copy_from_slice(signed), Some(content_type)))
            }
            Self::Form(form) => form.rebuild(signed).map(Payload::Reframed),
        }
    }
}

/// A field has no integers: ten digits are seconds, all else is RFC 3339.
fn time_of_field(text: &str, settings: &Pki) -> Result<Timestamp, Rejection> {
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        return seconds(text);
    }
    rfc3339(text, settings.zone_utc)
}

/// What a sender signs for this message.
///
/// # Errors
/// In words for the sender, where no verifier would take the message.
pub(crate) fn to_sign(head: &Head, body: &[u8]) -> Result<Vec<u8>, &'static str> {
    // Senders that give no type mean JSON; the verifier tells them where that does not do.
    let kind = Kind::of(head).map_err(|fault| fault.0)?.unwrap_or(Kind::Json);
    let body = Body::read(&kind, body).map_err(|fault| fault.0)?;
    let stamped = matches!(body.timestamp(&Pki::default()), Ok(Some(_)));
    let named = matches!(body.nonce(), Ok(Some(_)));
    if !stamped || !named {
        return Err("a pki body needs timestamp (RFC 3339 with zone, or seconds) and message_id (1 to 128 bytes)");
    }
    Ok(body.printed())
}

impl From<Malformed> for Rejection {
    fn from(fault: Malformed) -> Self {
        Self::new(Code::Malformed, fault.0)
    }
}
