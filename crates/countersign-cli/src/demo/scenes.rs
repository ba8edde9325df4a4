//! The scenes: what is sent, and what has to come of it.

mod http_message_signatures;
mod limits;
mod older;
mod sealed;
mod users;

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use countersign::{Code, Form, Scheme, SigningKey, Timestamp, TokenKeys, TokenSettings};
use serde_json::{Value, json};

use super::http::{Answer, Letter, send};
use super::register::Signers;
use super::sender::{self, KEY_ID, sign};
use super::tap::Tap;
use crate::exit::Failure;
use crate::moment;

/// Who plays.
pub(super) struct Cast {
    pub(super) gateway: SocketAddr,
    /// Another gateway, with tight limits.
    pub(super) narrow: SocketAddr,
    pub(super) sidecar: SocketAddr,
    /// A sidecar that seals card numbers, and who is on its way to the gateway.
    pub(super) sealing: SocketAddr,
    pub(super) tap: Tap,
    /// What is sealed for: SPKI in PEM, and its `kid`.
    pub(super) seal_key: (String, String),
    /// Of the gateway, and of the sidecar that seals.
    pub(super) logs: [std::path::PathBuf; 2],
    pub(super) sender_api: SocketAddr,
    pub(super) sender: std::sync::Arc<sender::Sender>,
    pub(super) signers: Signers,
    /// What tokens are issued by.
    pub(super) token_keys: std::sync::Arc<TokenKeys>,
    pub(super) token_settings: TokenSettings,
    /// Known to nobody.
    pub(super) stranger: SigningKey,
    /// What takes connections, and never answers.
    pub(super) _silent: std::net::TcpListener,
}

/// One scene, played.
pub(super) struct Row {
    pub(super) scene: String,
    /// The scheme that it is signed in, or what it carries instead.
    pub(super) scheme: &'static str,
    pub(super) expected: Expected,
    pub(super) answer: Result<Answer, String>,
    pub(super) took: Duration,
    /// What is not as it should be, although the answer is.
    pub(super) besides: Option<String>,
    /// What was found beside the answer, where it holds.
    pub(super) note: Option<String>,
}

/// What has to come of a scene.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Expected {
    Passed,
    /// Passed, and something was made.
    Created,
    Refused(Code),
    /// Refused before it is HTTP: without a body, so by its status alone.
    CutOff(Code),
}

impl Expected {
    pub(super) fn status(self) -> u16 {
        match self {
            Self::Passed => 200,
            Self::Created => 201,
            Self::Refused(code) | Self::CutOff(code) => code.status(),
        }
    }

    pub(super) fn code(self) -> Option<Code> {
        match self {
            Self::Passed | Self::Created => None,
            Self::Refused(code) | Self::CutOff(code) => Some(code),
        }
    }
}

impl Row {
    /// Status and, for a refusal, its code are as expected, and a refusal says what to do.
    pub(super) fn holds(&self) -> bool {
        let Ok(answer) = &self.answer else { return false };
        let told = match self.expected {
            Expected::Passed | Expected::Created => true,
            Expected::Refused(code) => {
                answer.told("code").as_deref() == Some(code.as_str()) && answer.told("advice").is_some()
            }
            Expected::CutOff(_) => answer.body.is_empty(),
        };
        answer.status.as_u16() == self.expected.status() && told && self.besides.is_none()
    }

    /// What came, as a refusal's code, where it was one.
    pub(super) fn came(&self) -> Option<String> {
        self.answer.as_ref().ok()?.told("code")
    }
}

impl Cast {
    /// Plays everything, in order.
    pub(super) async fn play(&self) -> Result<Vec<Row>, Failure> {
        let mut rows = self.pki().await?;
        rows.extend(self.file().await?);
        rows.extend(self.trusted_site().await?);
        rows.extend(self.users().await?);
        rows.extend(self.app_hmac().await?);
        rows.extend(self.http_message_signatures().await?);
        rows.extend(self.forms().await?);
        rows.extend(self.sidecar().await);
        rows.extend(self.sealed().await?);
        rows.extend(self.limits().await?);
        Ok(rows)
    }

    async fn pki(&self) -> Result<Vec<Row>, Failure> {
        let refused = Expected::Refused;
        let sender = |target: &str, message: &Value| Letter::post_json(target, message.to_string());
        let direct = |letter| (self.gateway, letter);
        let now = moment::now();
        let minutes = |minutes: u64| Duration::from_secs(minutes * 60);
        let by = async |key: &SigningKey, id: &str, message: &Value| {
            let letter = Letter::post_json("/message1", message.to_string());
            sign(letter, self.gateway, key, Form::new(Scheme::Pki, id), now).await
        };
        let own = self.sender.key();
        let signed = by(own, KEY_ID, &message1(now)).await?;
        let changed = changed(&signed);
        let scenes = [
            ("Message1", Expected::Passed, (self.sender_api, sender("/send/message1", &message1(now)))),
            ("Message2", Expected::Passed, (self.sender_api, sender("/send/message2", &message2(now)))),
            ("no header", refused(Code::Unsigned), direct(sender("/message1", &message1(now)))),
            ("bad signature", refused(Code::BadSignature), direct(by(&self.stranger, KEY_ID, &message1(now)).await?)),
            ("changed body", refused(Code::BadSignature), direct(changed)),
            ("Message1, direct", Expected::Passed, direct(signed.clone())),
            ("replayed", refused(Code::Replayed), direct(signed)),
            ("stale", refused(Code::TooOld), direct(by(own, KEY_ID, &message1(now.before(minutes(10)))).await?)),
            (
                "from the future",
                refused(Code::NotYetValid),
                direct(by(own, KEY_ID, &message1(now.after(minutes(10)))).await?),
            ),
            (
                "unknown key",
                refused(Code::UnknownSigner),
                direct(by(&self.stranger, "stranger", &message1(now)).await?),
            ),
            (
                "revoked key",
                refused(Code::KeyNotUsable),
                direct(by(&self.signers.revoked.1, &self.signers.revoked.0, &message1(now)).await?),
            ),
        ];
        let mut rows = Vec::new();
        for (scene, expected, (to, letter)) in scenes {
            rows.push(row(scene.to_owned(), Scheme::Pki, expected, to, letter).await);
        }
        Ok(rows)
    }

    async fn all<const N: usize>(&self, scheme: Scheme, scenes: [(&str, Expected, Letter); N]) -> Vec<Row> {
        at(self.gateway, scheme, scenes).await
    }
}

/// Plays scenes that are sent to the same address.
async fn at<const N: usize>(to: SocketAddr, scheme: Scheme, scenes: [(&str, Expected, Letter); N]) -> Vec<Row> {
    let mut rows = Vec::with_capacity(N);
    for (scene, expected, letter) in scenes {
        rows.push(row(scene.to_owned(), scheme, expected, to, letter).await);
    }
    rows
}

async fn row(scene: String, scheme: Scheme, expected: Expected, to: SocketAddr, letter: Letter) -> Row {
    row_of(scene, scheme.as_str(), expected, to, letter).await
}

async fn row_of(scene: String, scheme: &'static str, expected: Expected, to: SocketAddr, letter: Letter) -> Row {
    let began = Instant::now();
    let answer = send(to, letter).await;
    Row { scene, scheme, expected, answer, took: began.elapsed(), besides: None, note: None }
}

/// The same with something else in its body.
fn changed(letter: &Letter) -> Letter {
    let body = String::from_utf8_lossy(&letter.body).replace("Hello", "Goodbye");
    Letter { body: body.into(), ..letter.clone() }
}

/// A Message1 of its own id.
pub(super) fn message1(at: Timestamp) -> Value {
    json!({
        "message_id": id(), "sender": "sender-api", "content": "Hello, receiver", "priority": "normal",
        "timestamp": at.to_string(),
    })
}

/// A Message2 of its own id.
fn message2(at: Timestamp) -> Value {
    json!({
        "message_id": id(), "sender": "sender-api", "timestamp": at.to_string(),
        "metadata": { "source": "demo", "retries": 0, "ratio": 0.5 },
        "payload": { "order": { "number": 4711, "lines": [{ "sku": "A-1", "amount": 12.30 }] }, "note": "größer" },
        "attachments": [{ "name": "terms.txt", "size": 3 }],
        "tags": ["demo", "nested"],
    })
}

fn id() -> String {
    use std::sync::atomic::{AtomicU32, Ordering};
    static NEXT: AtomicU32 = AtomicU32::new(1);
    format!("demo-{}", NEXT.fetch_add(1, Ordering::Relaxed))
}
