//! Signed requests as raw bytes.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use countersign::{
    Algorithm, Draft, Form, Head, KeyPair, KeyRecord, KeyState, Keys, Material, Origin, Scheme, SigningKey, Timestamp,
    VerifyingKey,
};
use http::{HeaderMap, HeaderName, HeaderValue, Method};

static NONCE: AtomicU64 = AtomicU64::new(0);

pub(crate) fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    Timestamp::from_millis(i64::try_from(since.as_millis()).unwrap())
}

/// A partner with one Ed25519 key.
pub(crate) struct Partner {
    pub(crate) name: &'static str,
    pub(crate) key_id: &'static str,
    pair: KeyPair,
}

impl Partner {
    pub(crate) fn new(name: &'static str, key_id: &'static str) -> Self {
        Self { name, key_id, pair: SigningKey::generate(Algorithm::Ed25519, 0).unwrap() }
    }

    pub(crate) fn key(&self, state: KeyState) -> VerifyingKey {
        VerifyingKey::new(KeyRecord {
            partner: self.name.to_owned(),
            partner_active: true,
            id: self.key_id.to_owned(),
            version: 1,
            scheme: Scheme::HttpMessageSignatures,
            algorithm: Algorithm::Ed25519,
            state,
            not_before: None,
            not_after: None,
            form: None,
            material: Material::from_public_pem(self.pair.public.as_bytes()).unwrap(),
        })
        .unwrap()
    }

    pub(crate) fn keys(&self) -> Keys {
        Keys::new([self.key(KeyState::Active)])
    }

    pub(crate) fn get(&self, target: &str) -> Message {
        Message::new(self, "GET", target, None)
    }

    pub(crate) fn post(&self, target: &str, body: &str) -> Message {
        Message::new(self, "POST", target, Some(body))
    }
}

/// A request to be signed, and then spoilt as a test wants it.
pub(crate) struct Message {
    pub(crate) method: String,
    pub(crate) target: String,
    pub(crate) host: String,
    pub(crate) fields: Vec<(String, String)>,
    pub(crate) body: Option<String>,
    pub(crate) key_id: String,
    pub(crate) signed_at: Timestamp,
    pub(crate) cover: Option<Vec<String>>,
    trailers: HeaderMap,
    private: String,
}

impl Message {
    fn new(partner: &Partner, method: &str, target: &str, body: Option<&str>) -> Self {
        Self {
            method: method.to_owned(),
            target: target.to_owned(),
            host: "api.test".to_owned(),
            fields: Vec::new(),
            body: body.map(str::to_owned),
            key_id: partner.key_id.to_owned(),
            signed_at: now(),
            cover: None,
            trailers: HeaderMap::new(),
            private: partner.pair.private.to_string(),
        }
    }

    pub(crate) fn method(mut self, method: &str) -> Self {
        method.clone_into(&mut self.method);
        self
    }

    pub(crate) fn field(mut self, name: &str, value: &str) -> Self {
        self.fields.push((name.to_owned(), value.to_owned()));
        self
    }

    pub(crate) fn ago(mut self, age: Duration) -> Self {
        self.signed_at = self.signed_at.before(age);
        self
    }

    pub(crate) fn cover(mut self, names: &[&str]) -> Self {
        self.cover = Some(names.iter().map(|&name| name.to_owned()).collect());
        self
    }

    /// A trailer that may be covered. It is not written: a test writes what it wants.
    pub(crate) fn trailer(mut self, name: &'static str, value: &'static str) -> Self {
        self.trailers.insert(name, HeaderValue::from_static(value));
        self
    }

    /// The request with its signature, to be written.
    pub(crate) async fn sign(&self) -> Request {
        let headers: HeaderMap = self
            .fields
            .iter()
            .map(|(name, value)| (name.parse::<HeaderName>().unwrap(), HeaderValue::from_str(value).unwrap()))
            .collect();
        let method: Method = self.method.parse().unwrap();
        let origin = Origin::new(false, &self.host).unwrap();
        let head = Head::request(method, &self.target, origin, headers, self.body.is_some()).unwrap();
        let form = Form { cover: self.cover.clone(), ..Form::new(Scheme::HttpMessageSignatures, &self.key_id) };
        let mut draft = Draft::new(head, form);
        draft.push(self.body.as_deref().unwrap_or_default().as_bytes());
        draft.trailers(self.trailers.clone());
        let nonce = format!("nonce-{}-{}", self.signed_at.as_millis(), NONCE.fetch_add(1, Ordering::Relaxed));
        let key = SigningKey::from_file(self.private.as_bytes(), Scheme::HttpMessageSignatures, None).unwrap();
        let signed = draft.finish(&nonce, self.signed_at).unwrap().sign(&key).await.unwrap();
        let mut fields = self.fields.clone();
        fields.insert(0, ("Host".to_owned(), self.host.clone()));
        for (name, value) in signed.headers() {
            fields.push((name.as_str().to_owned(), value.to_str().unwrap().to_owned()));
        }
        Request {
            line: format!("{} {} HTTP/1.1", self.method, self.target),
            fields,
            body: self.body.clone(),
            close: true,
            length: true,
        }
    }

    /// The bytes of a signed request that closes its connection.
    pub(crate) async fn bytes(&self) -> Vec<u8> {
        self.sign().await.bytes()
    }
}

/// A signed request, still to be written.
#[derive(Clone)]
pub(crate) struct Request {
    pub(crate) line: String,
    pub(crate) fields: Vec<(String, String)>,
    pub(crate) body: Option<String>,
    /// Whether `Connection: close` is added.
    pub(crate) close: bool,
    /// Whether `Content-Length` is added where there is a body.
    pub(crate) length: bool,
}

impl Request {
    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        self.fields.push((name.to_owned(), value.to_owned()));
        self
    }

    pub(crate) fn keep_alive(mut self) -> Self {
        self.close = false;
        self
    }

    pub(crate) fn body(mut self, body: &str) -> Self {
        self.body = Some(body.to_owned());
        self
    }

    pub(crate) fn head(&self) -> String {
        let mut head = format!("{}\r\n", self.line);
        for (name, value) in &self.fields {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        if let Some(body) = self.body.as_ref().filter(|_| self.length) {
            head.push_str(&format!("Content-Length: {}\r\n", body.len()));
        }
        if self.close {
            head.push_str("Connection: close\r\n");
        }
        head + "\r\n"
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        (self.head() + self.body.as_deref().unwrap_or_default()).into_bytes()
    }

    /// The same with its body in chunks.
    pub(crate) fn chunked(mut self, sizes: usize) -> Vec<u8> {
        let body = self.body.take().unwrap_or_default();
        let mut bytes = self.with("Transfer-Encoding", "chunked").head().into_bytes();
        for chunk in body.as_bytes().chunks(sizes) {
            bytes.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
            bytes.extend_from_slice(chunk);
            bytes.extend_from_slice(b"\r\n");
        }
        bytes.extend_from_slice(b"0\r\n\r\n");
        bytes
    }
}
