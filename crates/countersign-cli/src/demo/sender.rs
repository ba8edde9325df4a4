//! The Sender API: makes its key pair on first start, and signs whatever it is given.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use countersign::{Algorithm, Draft, Form, Head, Origin, Scheme, SigningKey, Timestamp};
use http::{Method, StatusCode, header};
use serde_json::json;

use super::http::{Answer, Letter, send};
use crate::exit::Failure;
use crate::file::{self, NewFile};
use crate::{moment, random};

/// The id of its key on the wire.
pub(super) const KEY_ID: &str = "sender";

pub(super) struct Sender {
    key: SigningKey,
    public_pem: String,
    gateway: SocketAddr,
}

/// The Sender API's key in `private_key.pem`, made with its public half, `public_key.pem`, on first start.
pub(super) fn own_key(dir: &Path) -> Result<(SigningKey, String), Failure> {
    let (private, public) = (dir.join("private_key.pem"), dir.join("public_key.pem"));
    if !private.exists() {
        let pair = SigningKey::generate(Algorithm::RsaPssSha256, 2048)?;
        for (path, mode, text) in [(&private, 0o600, pair.private.as_str()), (&public, 0o644, pair.public.as_str())] {
            let mut file = NewFile::create(path, mode)?;
            file.write(text.as_bytes())?;
            file.keep();
        }
    }
    let key = SigningKey::from_file(&file::read_secret(&private)?, Scheme::Pki, None)?;
    let public_pem = key.public_pem().ok_or_else(|| Failure::ours("the sender's key has no public half"))?;
    Ok((key, public_pem))
}

impl Sender {
    pub(super) fn new(key: SigningKey, public_pem: String, gateway: SocketAddr) -> Self {
        Self { key, public_pem, gateway }
    }

    pub(super) fn key(&self) -> &SigningKey {
        &self.key
    }

    async fn pass_on(&self, letter: Letter) -> Answer {
        match sign(letter, self.gateway, &self.key, Form::new(Scheme::Pki, KEY_ID), moment::now()).await {
            Err(fault) => Answer::json(StatusCode::UNPROCESSABLE_ENTITY, &json!({ "detail": fault.message })),
            Ok(letter) => send(self.gateway, letter)
                .await
                .unwrap_or_else(|fault| Answer::json(StatusCode::BAD_GATEWAY, &json!({ "detail": fault }))),
        }
    }
}

pub(super) async fn handle(sender: Arc<Sender>, letter: Letter) -> Answer {
    match (&letter.method, letter.target.as_str()) {
        (&Method::POST, "/send/message1") => sender.pass_on(Letter::post_json("/message1", letter.body)).await,
        (&Method::POST, "/send/message2") => sender.pass_on(Letter::post_json("/message2", letter.body)).await,
        (&Method::POST, "/send/file") => {
            let content_type = letter.headers.get(header::CONTENT_TYPE).cloned();
            let headers = content_type.map(|value| (header::CONTENT_TYPE, value)).into_iter().collect();
            sender.pass_on(Letter { target: "/file".to_owned(), headers, ..letter }).await
        }
        (&Method::GET, "/public-key") => Answer {
            status: StatusCode::OK,
            content_type: "application/x-pem-file".to_owned(),
            body: sender.public_pem.clone().into(),
        },
        (&Method::GET, "/health") => Answer::json(StatusCode::OK, &json!({ "status": "ok" })),
        _ => Answer::json(StatusCode::NOT_FOUND, &json!({ "detail": "no such resource" })),
    }
}

/// Signs a letter to `to`.
pub(super) async fn sign(
    mut letter: Letter,
    to: SocketAddr,
    key: &SigningKey,
    form: Form,
    now: Timestamp,
) -> Result<Letter, Failure> {
    let origin = Origin::new(false, &to.to_string())?;
    let has_body = !letter.body.is_empty();
    let head = Head::request(letter.method.clone(), &letter.target, origin, letter.headers.clone(), has_body)?;
    let mut draft = Draft::new(head, form);
    draft.push(&letter.body);
    let signed = draft.finish(&random::nonce()?, now)?.sign(key).await?;
    signed.apply(&mut letter.headers);
    if let Some(body) = signed.body() {
        letter.body = body.clone();
    }
    Ok(letter)
}
