//! Uploaded forms, and the schemes that were there before RFC 9421.

use countersign::{Code, Form, Layout, Scheme, Signer, SigningKey};
use http::{HeaderName, HeaderValue};

use super::super::upload;
use super::{Cast, Expected, Letter, Row, changed, id, message1, row, sign};
use crate::demo::sender::KEY_ID;
use crate::exit::Failure;
use crate::moment;

impl Cast {
    /// A File under `pki`: the sender's own, and what becomes of it on the way.
    pub(super) async fn file(&self) -> Result<Vec<Row>, Failure> {
        let now = moment::now();
        let file = |target: &str| upload::letter(target, &id(), now);
        let signed = sign(file("/file"), self.gateway, self.sender.key(), Form::new(Scheme::Pki, KEY_ID), now).await?;
        let mut renamed = signed.clone();
        renamed.body = String::from_utf8_lossy(&renamed.body).replace("hello.txt", "hello.exe").into();
        let refused = Expected::Refused;
        let scenes = [
            ("File", Expected::Passed, self.sender_api, file("/send/file")),
            ("File, no header", refused(Code::Unsigned), self.gateway, file("/file")),
            ("File, changed", refused(Code::BadSignature), self.gateway, changed(&signed)),
            ("File, renamed", refused(Code::BadSignature), self.gateway, renamed),
            ("File, direct", Expected::Passed, self.gateway, signed.clone()),
            ("File, replayed", refused(Code::Replayed), self.gateway, signed),
        ];
        let mut rows = Vec::new();
        for (scene, expected, to, letter) in scenes {
            rows.push(row(scene.to_owned(), Scheme::Pki, expected, to, letter).await);
        }
        Ok(rows)
    }

    /// A site whose key lies in the directory of trusted sites.
    pub(super) async fn trusted_site(&self) -> Result<Vec<Row>, Failure> {
        let now = moment::now();
        let (site, key) = &self.signers.site;
        let letter = || Letter::post_json("/site/message1", message1(now).to_string());
        let by = async |key: &SigningKey, site: &str, at| {
            sign(letter(), self.gateway, key, Form::new(Scheme::TrustedSite, site), at).await
        };
        let signed = by(key, site, now).await?;
        let mut moved = by(key, site, now).await?;
        moved.target += "?admin=true";
        let stale = by(key, site, now.before(std::time::Duration::from_secs(600))).await?;
        let refused = Expected::Refused;
        let scenes = [
            ("Message1", Expected::Passed, signed.clone()),
            ("no signature", refused(Code::Unsigned), letter()),
            ("changed payload", refused(Code::BadSignature), changed(&signed)),
            ("changed target", refused(Code::CoverageTooSmall), moved),
            ("unknown site", refused(Code::UnknownSigner), by(key, "nobody", now).await?),
            ("replayed", refused(Code::Replayed), signed),
            ("stale", refused(Code::TooOld), stale),
        ];
        Ok(self.all(Scheme::TrustedSite, scenes).await)
    }

    /// Both layouts, and what nothing between the parts would let happen.
    pub(super) async fn app_hmac(&self) -> Result<Vec<Row>, Failure> {
        let now = moment::now();
        let refused = Expected::Refused;
        let mut rows = Vec::new();
        for (form, id, key) in &self.signers.apps {
            let own = Form { app_hmac: Some(*form), ..Form::new(Scheme::AppHmac, id) };
            let letter = || Letter::post_json("/app/message1", message1(now).to_string());
            let signed = sign(letter(), self.gateway, key, own.clone(), now).await?;
            let mut moved = sign(letter(), self.gateway, key, own, now).await?;
            moved.target += "?admin=true";
            // One of them signs the target, and the other is bound to it.
            let (scene, code) = match form.layout {
                Layout::MethodFirst => ("method-first", Code::BadSignature),
                Layout::PayloadFirst => ("payload-first", Code::CoverageTooSmall),
            };
            let scenes = [
                (scene, Expected::Passed, signed.clone()),
                ("changed body", refused(Code::BadSignature), changed(&signed)),
                ("changed target", refused(code), moved),
                ("replayed", refused(Code::Replayed), signed),
            ];
            rows.extend(self.all(Scheme::AppHmac, scenes).await);
            if form.layout == Layout::MethodFirst {
                let two = two_readings(id, key).await?;
                rows.extend(self.all(Scheme::AppHmac, [("two readings", refused(Code::Ambiguous), two)]).await);
            }
        }
        Ok(rows)
    }
}

/// A form whose text holds a stamp and a nonce: the same MAC is that of a request to a longer path. Our own signers do not
/// sign it, so it is made by hand.
async fn two_readings(id: &str, key: &SigningKey) -> Result<Letter, Failure> {
    let seconds = moment::now().as_secs();
    let (target, nonce, body) = ("/app/message1", "a1b2c3d4", format!("note={}a1b2c3d4", seconds + 100));
    let signed = format!("POST{target}{seconds}{nonce}{body}");
    let mac: String = key.sign(signed.as_bytes()).await?.iter().map(|byte| format!("{byte:02x}")).collect();
    let mut letter = Letter::post_json(target, body);
    let stamp = seconds.to_string();
    for (name, value) in [("appid", id), ("timestamp", stamp.as_str()), ("nonce", nonce), ("signature", &mac)] {
        let value = HeaderValue::from_str(value).map_err(Failure::ours)?;
        letter.headers.insert(HeaderName::from_static(name), value);
    }
    Ok(letter)
}
