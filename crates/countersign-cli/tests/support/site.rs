//! A trusted site: signs what it says of users, and can be made to sign what no site should.

use std::net::SocketAddr;
use std::time::UNIX_EPOCH;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use countersign::{Scheme, Signer, SigningKey};
use serde_json::{Value, json};

use super::Dir;
use super::gateway::{Gateway, send_for_head};

pub const REGISTER: &str = "/auth/trusted/register";
pub const LOGIN: &str = "/auth/trusted/login";

pub struct Site {
    pub id: String,
    key: SigningKey,
}

/// What the exchange said.
#[derive(Debug)]
pub struct Said {
    pub status: u16,
    pub head: String,
    pub body: Value,
}

impl Site {
    /// Makes a key, and adds it under this id to the partner.
    #[track_caller]
    pub fn added(dir: &Dir, partner: &str, id: &str, flag: &str) -> Self {
        dir.fine(&format!("key generate --algorithm rsa-v1_5-sha256 --bits 2048 --out {id}.key"));
        dir.fine(&format!(
            "key add --partner {partner} --id {id} --scheme trusted-site --algorithm rsa-v1_5-sha256 --public-key \
             {id}.key.pub {flag}"
        ));
        Self::of(dir, id)
    }

    /// With the key that was made for this id.
    pub fn of(dir: &Dir, id: &str) -> Self {
        let file = std::fs::read(dir.path(&format!("{id}.key"))).unwrap();
        let key = SigningKey::from_file(&file, Scheme::TrustedSite, None).unwrap();
        Self { id: id.to_owned(), key }
    }

    pub fn signature(&self, payload: &str, stamp: &str) -> String {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let signature = runtime.block_on(self.key.sign(format!("{payload}|{stamp}").as_bytes())).unwrap();
        STANDARD.encode(signature)
    }

    /// What is posted, signed now.
    pub fn body(&self, payload: &str) -> Value {
        let stamp = seconds();
        let signature = self.signature(payload, &stamp.to_string());
        json!({ "payload": payload, "timestamp": stamp, "signature": signature, "site_id": self.id })
    }

    /// Asks for a user. Every payload is another: the same one in the same second would be the same request.
    #[track_caller]
    pub fn ask(&self, to: SocketAddr, path: &str, email: &str) -> Said {
        post(to, path, &self.body(&payload(email)))
    }

    #[track_caller]
    pub fn register(&self, gateway: &Gateway, email: &str) -> Said {
        self.ask(gateway.address, REGISTER, email)
    }

    #[track_caller]
    pub fn login(&self, gateway: &Gateway, email: &str) -> Said {
        self.ask(gateway.address, LOGIN, email)
    }
}

impl Said {
    /// The code of a refusal.
    pub fn code(&self) -> &str {
        self.body["code"].as_str().unwrap_or("none")
    }

    /// The id of the user that it tells of.
    #[track_caller]
    pub fn user(&self) -> &str {
        self.body["user"]["id"].as_str().unwrap_or_else(|| panic!("no user: {self:?}"))
    }

    #[track_caller]
    pub fn token(&self) -> &str {
        self.body["access_token"].as_str().unwrap_or_else(|| panic!("no token: {self:?}"))
    }
}

pub fn seconds() -> u64 {
    UNIX_EPOCH.elapsed().unwrap().as_secs()
}

pub fn payload(email: &str) -> String {
    json!({ "email": email, "n": UNIX_EPOCH.elapsed().unwrap().as_nanos().to_string() }).to_string()
}

#[track_caller]
pub fn post(to: SocketAddr, path: &str, body: &Value) -> Said {
    post_text(to, &format!("POST {path}"), &body.to_string())
}

/// The body as it is, and the start line up to the version.
#[track_caller]
pub fn post_text(to: SocketAddr, line: &str, body: &str) -> Said {
    let length = body.len();
    let (status, head, body) = send_for_head(
        to,
        &format!(
            "{line} HTTP/1.1\r\nHost: {to}\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: \
             {length}\r\n\r\n{body}"
        ),
    );
    Said { status, head, body: serde_json::from_str(&body).unwrap_or(Value::Null) }
}
