//! Signing: the mirror of verifying, once for sidecar, commands and whoever embeds the crate.

mod exact;
mod key;
mod labels;
mod stated;
mod usual;

pub use key::{KeyPair, Signer, SigningKey};

use std::fmt;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, header};

use crate::algorithm::{Algorithm, Scheme};
use crate::component::write_string;
use crate::digest::content_digest;
use crate::key::{AppHmacForm, Layout, NonceForm, TimestampUnit};
use crate::message::Head;
use crate::primitive::Sha256;
use crate::scheme::{app_hmac, pki, trusted_site};
use crate::time::Timestamp;
use stated::Stated;

/// How a message is to be signed.
#[derive(Clone, Debug)]
pub struct Form {
    /// The scheme.
    pub scheme: Scheme,
    /// The key's id as it stands on the wire.
    pub key_id: String,
    /// What `http-message-signatures` covers: bare names (`@method`), or identifiers as RFC 9421 §2 writes them
    /// (`"x-total";tr`). `None` for what our signers cover: of a request `@method @authority @path @query`, `content-type`
    /// if there is one, and `content-digest` with a body; of a response `@status` instead of the target, and what it
    /// answers (`;req`), that request's signatures included.
    pub cover: Option<Vec<String>>,
    /// The label of the signature; `None` for the first of `sig1`, `sig2`, … that the message does not have.
    pub label: Option<String>,
    /// `expires`, so long after `created`; `http-message-signatures` only.
    pub expires_after: Option<Duration>,
    /// `tag`; `http-message-signatures` only.
    pub tag: Option<String>,
    /// The whole value of `Signature-Input` under its label, for profiles and vectors that fix it to the byte: components with
    /// their parameters, then signature parameters, in this order. In place of all that this form, the nonce and the time
    /// say, so whether `created` is now and `nonce` is new is for the caller to see to; `http-message-signatures` only.
    pub signature_input: Option<String>,
    /// The form of the key, for `app-hmac`; `None` for `method-first` with seconds and 8 hexadecimal digits.
    pub app_hmac: Option<AppHmacForm>,
}

impl Form {
    /// The usual form of a scheme.
    #[must_use]
    pub fn new(scheme: Scheme, key_id: &str) -> Self {
        Self {
            scheme,
            key_id: key_id.to_owned(),
            cover: None,
            label: None,
            expires_after: None,
            tag: None,
            signature_input: None,
            app_hmac: None,
        }
    }
}

/// A message that is to be signed, taking its body.
#[must_use]
pub struct Draft {
    head: Head,
    form: Form,
    hash: Sha256,
    stated: Option<Stated>,
    /// The body, where the scheme signs it as a whole.
    body: Vec<u8>,
}

impl Draft {
    /// A draft of a message with this head.
    pub fn new(head: Head, form: Form) -> Self {
        let stated = Stated::of(&head);
        Self { head, form, hash: Sha256::new(), stated, body: Vec::new() }
    }

    /// Takes the next part of the body.
    pub fn push(&mut self, chunk: &[u8]) {
        match self.form.scheme {
            Scheme::HttpMessageSignatures => {
                self.hash.update(chunk);
                if let Some(stated) = &mut self.stated {
                    stated.update(chunk);
                }
            }
            Scheme::Pki | Scheme::TrustedSite | Scheme::AppHmac => self.body.extend_from_slice(chunk),
        }
    }

    /// Takes the trailers, so that they can be covered (`"x-total";tr`).
    pub fn trailers(&mut self, trailers: HeaderMap) {
        *self.head.trailers_mut() = trailers;
    }

    /// The body has ended. `nonce` is new for every attempt: at least 16 random bytes in a form of printable ASCII.
    ///
    /// # Errors
    /// [`SignError`] where the scheme can't carry this message, or the message carries a `Content-Digest` that is not its
    /// body's: nothing is repaired.
    pub fn finish(self, nonce: &str, now: Timestamp) -> Result<Unsigned, SignError> {
        let content = match self.form.scheme {
            Scheme::HttpMessageSignatures => {
                let digest = self.hash.finish();
                let stated = self.stated.map(|stated| stated.check(digest)).transpose()?;
                let missing = stated.is_none() && self.head.has_body();
                Content::Digest(missing.then(|| content_digest(&digest)))
            }
            Scheme::TrustedSite if self.stated.is_some() => return Err(stated::WRAPPED),
            _ => Content::Body(self.body),
        };
        Unsigned::prepare(self.head, self.form, content, nonce, now)
    }
}

/// The first of each: what a key has for which nobody said otherwise.
const USUAL_APP_HMAC: AppHmacForm =
    AppHmacForm { layout: Layout::MethodFirst, unit: TimestampUnit::Seconds, nonce: NonceForm::Hex8 };

const NO_ID: SignError =
    SignError::new("the id of a key in this scheme is 1 to 64 letters, digits, dots, dashes and underscores");

enum Content {
    Digest(Option<String>),
    Body(Vec<u8>),
}

/// All but the signature.
#[must_use]
pub struct Unsigned {
    head: Head,
    form: Form,
    content: Content,
    /// The value of `Signature-Input` under its label.
    input: String,
    label: String,
    bytes: Vec<u8>,
    now: Timestamp,
    /// `now` as the legacy schemes write it.
    stamp: String,
    nonce: String,
}

impl Unsigned {
    fn prepare(mut head: Head, form: Form, content: Content, nonce: &str, now: Timestamp) -> Result<Self, SignError> {
        let mut input = String::new();
        let mut label = String::new();
        let mut stamp = String::new();
        let mut nonce = nonce.to_owned();
        let bytes = match (&content, form.scheme) {
            (Content::Digest(digest), _) => {
                if let Some(digest) = digest {
                    let value =
                        HeaderValue::from_str(digest).map_err(|_| SignError::new("the digest is no header value"))?;
                    head.headers_mut().insert(HeaderName::from_static("content-digest"), value);
                }
                label = label_for(&head, form.label.as_deref())?;
                Vec::new()
            }
            (Content::Body(_), _) if labels::another_scheme(&head, form.scheme) => return Err(labels::ANOTHER),
            (Content::Body(_), Scheme::Pki) if !pki::is_id(&form.key_id) => return Err(NO_ID),
            (Content::Body(body), Scheme::Pki) => pki::to_sign(&head, body).map_err(SignError::new)?,
            (Content::Body(body), Scheme::TrustedSite) => {
                let payload = std::str::from_utf8(body).ok().filter(|text| !text.is_empty());
                let payload = payload.ok_or(SignError::new("a payload of this scheme is text, and not empty"))?;
                if !pki::is_id(&form.key_id) {
                    return Err(NO_ID);
                }
                stamp = now.as_secs().to_string();
                pki::seconds(&stamp).map_err(|_| SignError::new("the time has no form in this scheme"))?;
                trusted_site::signed_bytes(payload, &stamp)
            }
            (Content::Body(body), _) => {
                if !pki::is_id(&form.key_id) {
                    return Err(NO_ID);
                }
                let key_form = form.app_hmac.unwrap_or(USUAL_APP_HMAC);
                let prepared = app_hmac::prepare(&head, body, key_form, &nonce, now).map_err(SignError::new)?;
                (stamp, nonce) = (prepared.stamp, prepared.nonce);
                prepared.bytes
            }
        };
        if !label.is_empty() {
            input.clear();
        }
        Ok(Self { head, form, content, input, label, bytes, now, stamp, nonce })
    }

    /// The same message for another attempt: with its own nonce and time, since a verifier may have spent the first.
    ///
    /// # Errors
    /// As [`Draft::finish`].
    pub fn again(&self, nonce: &str, now: Timestamp) -> Result<Self, SignError> {
        let content = match &self.content {
            Content::Digest(digest) => Content::Digest(digest.clone()),
            Content::Body(body) => Content::Body(body.clone()),
        };
        Self::prepare(self.head.clone(), self.form.clone(), content, nonce, now)
    }

    /// Signs.
    ///
    /// # Errors
    /// [`SignError`] where the signer is of no algorithm of the scheme, a component can't be covered, or the signer fails.
    pub async fn sign(mut self, signer: &dyn Signer) -> Result<Signed, SignError> {
        let algorithm = signer.algorithm();
        if !self.form.scheme.algorithms().contains(&algorithm) {
            return Err(SignError::new("the signer is of no algorithm of this scheme"));
        }
        if self.form.scheme == Scheme::HttpMessageSignatures {
            (self.input, self.bytes) = self.base(algorithm)?;
        }
        let signature = signer.sign(&self.bytes).await.map_err(|_| SignError::new("the signer did not answer"))?;
        let text = STANDARD.encode(&signature);
        let mut signed = Signed { set: Vec::new(), add: Vec::new(), body: None, bytes: self.bytes };
        match self.form.scheme {
            Scheme::HttpMessageSignatures => {
                if let Content::Digest(Some(digest)) = &self.content {
                    signed.set.push((HeaderName::from_static("content-digest"), header_value(digest)?));
                }
                signed.add.push((
                    HeaderName::from_static("signature-input"),
                    header_value(&format!("{}={}", self.label, self.input))?,
                ));
                signed
                    .add
                    .push((HeaderName::from_static("signature"), header_value(&format!("{}=:{text}:", self.label))?));
            }
            Scheme::Pki => {
                let credentials = format!("PKI {}:{text}", self.form.key_id);
                signed.set.push((header::AUTHORIZATION, header_value(&credentials)?));
            }
            Scheme::TrustedSite => {
                let Content::Body(payload) = &self.content else { return Err(SignError::new("there is no payload")) };
                let payload = String::from_utf8_lossy(payload);
                let body = trusted_site::body(&payload, &self.stamp, &signature, &self.form.key_id);
                signed.set.push((header::CONTENT_TYPE, HeaderValue::from_static("application/json")));
                signed.body = Some(Bytes::from(body));
            }
            Scheme::AppHmac => {
                let values = [self.form.key_id, self.stamp, self.nonce, app_hmac::hex(&signature)];
                for (name, value) in app_hmac::CREDENTIALS.into_iter().zip(values) {
                    signed.set.push((HeaderName::from_static(name), header_value(&value)?));
                }
            }
        }
        Ok(signed)
    }

    /// `Signature-Input` and the signature base (RFC 9421 §3.1).
    fn base(&self, algorithm: Algorithm) -> Result<(String, Vec<u8>), SignError> {
        if let Some(input) = &self.form.signature_input {
            return exact::base(&self.head, input, &self.form.key_id, algorithm);
        }
        let usual = || usual::cover(&self.head);
        let mut input = identifiers(&self.form.cover.clone().unwrap_or_else(usual));
        input.push_str(&format!(";created={}", self.now.as_secs()));
        if let Some(after) = self.form.expires_after {
            input.push_str(&format!(";expires={}", self.now.after(after).as_secs()));
        }
        for (name, value) in [
            ("nonce", Some(self.nonce.as_str())),
            ("alg", Some(algorithm.as_str())),
            ("keyid", Some(self.form.key_id.as_str())),
            ("tag", self.form.tag.as_deref()),
        ] {
            if let Some(value) = value {
                input.push_str(&format!(";{name}="));
                write_string(&mut input, printable(value)?);
            }
        }
        exact::base(&self.head, &input, &self.form.key_id, algorithm)
    }
}

/// The inner list of what is covered: bare names get their quotes.
fn identifiers(cover: &[String]) -> String {
    let mut list = String::from("(");
    for name in cover {
        if list.len() > 1 {
            list.push(' ');
        }
        if name.starts_with('"') { list.push_str(name) } else { write_string(&mut list, name) }
    }
    list.push(')');
    list
}

/// The wanted label, or the first of ours, that no signature of the message has.
fn label_for(head: &Head, wanted: Option<&str>) -> Result<String, SignError> {
    let there = labels::there(head)?;
    let free = |label: &str| there.iter().all(|name| name != label);
    match wanted {
        Some(label) if sfv::KeyRef::from_str(label).is_err() => Err(SignError::new("the label is no key (RFC 9651)")),
        Some(label) if free(label) => Ok(label.to_owned()),
        Some(_) => Err(SignError::new("the message carries a signature with this label")),
        None => (1..=17)
            .map(|number| format!("sig{number}"))
            .find(|label| free(label))
            .ok_or(SignError::new("the message carries too many signatures")),
    }
}

fn printable(text: &str) -> Result<&str, SignError> {
    if (1..=256).contains(&text.len()) && text.bytes().all(|byte| (0x20..0x7f).contains(&byte)) {
        return Ok(text);
    }
    Err(SignError::new("key id, nonce and tag have 1 to 256 printable ASCII characters"))
}

fn header_value(text: &str) -> Result<HeaderValue, SignError> {
    HeaderValue::from_str(text).map_err(|_| SignError::new("a signature header can't be written"))
}

/// What a signature adds to a message.
#[derive(Clone, Debug)]
#[must_use]
pub struct Signed {
    set: Vec<(HeaderName, HeaderValue)>,
    add: Vec<(HeaderName, HeaderValue)>,
    body: Option<Bytes>,
    bytes: Vec<u8>,
}

impl Signed {
    /// Writes the signature into the headers of the message.
    pub fn apply(&self, headers: &mut HeaderMap) {
        for (name, value) in &self.set {
            headers.insert(name.clone(), value.clone());
        }
        for (name, value) in &self.add {
            headers.append(name.clone(), value.clone());
        }
    }

    /// The header fields that [`Signed::apply`] writes.
    pub fn headers(&self) -> impl Iterator<Item = (&HeaderName, &HeaderValue)> {
        self.set.iter().chain(&self.add).map(|(name, value)| (name, value))
    }

    /// The body that replaces the message's own, in a scheme that wraps it.
    #[must_use]
    pub fn body(&self) -> Option<&Bytes> {
        self.body.as_ref()
    }

    /// What was signed, byte for byte.
    #[must_use]
    pub fn signed_bytes(&self) -> &[u8] {
        &self.bytes
    }
}

/// Why a message can't be signed, in words for its sender.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignError {
    text: &'static str,
    /// The component that it is about.
    component: Option<String>,
}

impl SignError {
    const fn new(text: &'static str) -> Self {
        Self { text, component: None }
    }

    /// What to do next, where that can be said.
    #[must_use]
    pub fn hint(&self) -> Option<&'static str> {
        stated::hint(self).or_else(|| labels::hint(self)).or_else(|| exact::hint(self))
    }
}

impl fmt::Display for SignError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text)?;
        self.component.as_ref().map_or(Ok(()), |component| write!(f, ": {component}"))
    }
}

impl std::error::Error for SignError {}
