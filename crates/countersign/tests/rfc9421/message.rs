//! A raw HTTP/1.1 message of an example.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use countersign::{Head, Origin};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};

#[derive(Clone, Debug)]
pub(crate) struct Text {
    start: String,
    headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Text {
    pub(crate) fn parse(text: &str) -> Self {
        let (head, body) = text.split_once("\n\n").unwrap_or((text, ""));
        let (start, fields) = head.trim_start().split_once('\n').unwrap_or((head, ""));
        let mut message = Self { start: start.to_owned(), headers: HeaderMap::new(), body: body.trim().into() };
        message.add(fields);
        message
    }

    pub(crate) fn add(&mut self, fields: &str) {
        for line in fields.lines().filter(|line| !line.is_empty()) {
            let (name, value) = line.split_once(':').unwrap();
            let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
            self.headers.append(name, HeaderValue::from_str(value.trim()).unwrap());
        }
    }

    pub(crate) fn replace(&mut self, field: &'static str, value: &str) {
        self.headers.insert(field, HeaderValue::from_str(value).unwrap());
    }

    pub(crate) fn is_request(&self) -> bool {
        !self.start.starts_with("HTTP/")
    }

    /// The head, with or without what an intermediary or a signer has to know of the body.
    pub(crate) fn head(&self, request: Option<&Text>, has_body: bool) -> Head {
        let words: Vec<_> = self.start.split(' ').collect();
        if self.is_request() {
            let origin = Origin::new(true, self.headers["host"].to_str().unwrap()).unwrap();
            let method = Method::from_bytes(words[0].as_bytes()).unwrap();
            return Head::request(method, words[1], origin, self.headers.clone(), has_body).unwrap();
        }
        let answered = request.map(|request| request.head(None, !request.body.is_empty()));
        Head::response(StatusCode::from_bytes(words[1].as_bytes()).unwrap(), self.headers.clone(), has_body, answered)
    }

    pub(crate) fn labels(&self) -> Vec<String> {
        let input = self.headers["signature-input"].to_str().unwrap();
        input.split(", ").filter_map(|member| member.split_once("=(").map(|(label, _)| label.to_owned())).collect()
    }

    /// What stands under a label of `Signature-Input`.
    pub(crate) fn input(&self, label: &str) -> String {
        self.member("signature-input", label)
    }

    pub(crate) fn signature(&self, label: &str) -> Vec<u8> {
        STANDARD.decode(self.member("signature", label).trim_matches(':')).unwrap()
    }

    fn member(&self, field: &str, label: &str) -> String {
        let value = self.headers[field].to_str().unwrap();
        let member = value.split(", ").find_map(|member| member.strip_prefix(&format!("{label}=")));
        member.unwrap_or_else(|| panic!("no {label} in {value}")).to_owned()
    }

    /// Leaves the one signature, as a route with a tag would.
    pub(crate) fn keep_only(&mut self, label: &str) {
        for field in ["signature-input", "signature"] {
            let member = format!("{label}={}", self.member(field, label));
            self.headers.insert(HeaderName::from_static(field), HeaderValue::from_str(&member).unwrap());
        }
    }

    pub(crate) fn set_signature(&mut self, label: &str, signature: &[u8]) {
        self.keep_only(label);
        let value = format!("{label}=:{}:", STANDARD.encode(signature));
        self.headers.insert("signature", HeaderValue::from_str(&value).unwrap());
    }

    pub(crate) fn flip_signature_bit(&mut self, label: &str) {
        let mut signature = self.signature(label);
        signature[7] ^= 1;
        self.set_signature(label, &signature);
    }

    /// Without its own signatures, which a signer does not see.
    pub(crate) fn unsigned(&self) -> Self {
        let mut message = self.clone();
        message.headers.remove("signature");
        message.headers.remove("signature-input");
        message
    }
}
