//! RFC 9421: a message under each algorithm, what becomes of it on the way, and a sidecar that signs in it.

use std::sync::Arc;
use std::time::Duration;

use countersign::{Code, Form, Scheme, SigningKey, Timestamp};
use http::{HeaderValue, header};

use super::{Cast, Expected, Letter, Row, at, changed, message1, row, sign};
use crate::exit::Failure;
use crate::moment;

const SCHEME: Scheme = Scheme::HttpMessageSignatures;

impl Cast {
    /// Every algorithm, and what every scheme has to refuse.
    pub(super) async fn http_message_signatures(&self) -> Result<Vec<Row>, Failure> {
        let mut rows = Vec::new();
        let mut last = None;
        for (algorithm, id, key) in &self.signers.partner {
            let now = moment::now();
            let letter = sign(message(now), self.gateway, key, Form::new(SCHEME, id), now).await?;
            last = Some(letter.clone());
            rows.push(row(algorithm.to_string(), SCHEME, Expected::Passed, self.gateway, letter).await);
        }
        let Some(letter) = last else { return Ok(rows) };
        let now = moment::now();
        let changed = changed(&self.partners(message(now), now).await?);
        let mut moved = self.partners(message(now), now).await?;
        moved.target = "/message1?admin=true".to_owned();
        let minutes = |minutes: u64| Duration::from_secs(60 * minutes);
        let stale = self.partners(message(now), now.before(minutes(10))).await?;
        let early = self.partners(message(now), now.after(minutes(10))).await?;
        let refused = Expected::Refused;
        let scenes = [
            ("GET /messages", Expected::Passed, self.partners(Letter::get("/messages"), now).await?),
            ("GET /health", Expected::Passed, Letter::get("/health")),
            ("not signed", refused(Code::Unsigned), message(now)),
            ("changed body", refused(Code::DigestMismatch), changed),
            ("changed target", refused(Code::BadSignature), moved),
            ("replayed", refused(Code::Replayed), letter),
            ("stale", refused(Code::TooOld), stale),
            ("from the future", refused(Code::NotYetValid), early),
        ];
        rows.extend(self.all(SCHEME, scenes).await);
        Ok(rows)
    }

    /// Signatures that are not what the route wants, whoever made them.
    pub(super) async fn forms(&self) -> Result<Vec<Row>, Failure> {
        let now = moment::now();
        let (id, key) = self.partners_key()?;
        let signed = self.partners(message(now), now).await?;
        let little = Form { cover: Some(vec!["@method".to_owned()]), ..Form::new(SCHEME, id) };
        let little = sign(message(now), self.gateway, key, little, now).await?;
        let stranger = sign(message(now), self.gateway, key, Form::new(SCHEME, "stranger"), now).await?;
        let torn = edited(&signed, "signature-input", |text| text.replace(';', ""))?;
        let other = edited(&signed, "signature-input", |text| text.replace("\"ed25519\"", "\"rsa-pss-sha512\""))?;
        let mut twice = signed.clone();
        twice.headers.insert(header::AUTHORIZATION, HeaderValue::from_static("PKI c2VuZGVy:AAAA"));
        let elsewhere = Letter { target: "/site/message1".to_owned(), ..signed.clone() };
        let nowhere = Letter { target: "/nowhere".to_owned(), ..signed };
        let refused = Expected::Refused;
        let scenes = [
            ("torn header", refused(Code::Malformed), torn),
            ("two schemes", refused(Code::Ambiguous), twice),
            ("other scheme", refused(Code::SchemeNotAllowed), elsewhere),
            ("@method alone", refused(Code::CoverageTooSmall), little),
            ("unknown key", refused(Code::UnknownSigner), stranger),
            ("other algorithm", refused(Code::AlgorithmMismatch), other),
            ("no such route", refused(Code::NoRoute), nowhere),
        ];
        Ok(self.all(SCHEME, scenes).await)
    }

    /// A sender that knows nothing, and a web page that would like to be one.
    pub(super) async fn sidecar(&self) -> Vec<Row> {
        let plain = message(moment::now());
        let mut page = message(moment::now());
        page.headers.insert(header::ORIGIN, HeaderValue::from_static("https://evil.example"));
        let scenes = [
            ("by the sidecar", Expected::Passed, plain),
            ("by a web page", Expected::Refused(Code::PartnerNotAllowed), page),
        ];
        at(self.sidecar, SCHEME, scenes).await
    }

    /// Signed as the partner does.
    pub(super) async fn partners(&self, letter: Letter, at: Timestamp) -> Result<Letter, Failure> {
        let (id, key) = self.partners_key()?;
        sign(letter, self.gateway, key, Form::new(SCHEME, id), at).await
    }

    pub(super) fn partners_key(&self) -> Result<(&str, &Arc<SigningKey>), Failure> {
        let first = self.signers.partner.first().map(|(_, id, key)| (id.as_str(), key));
        first.ok_or_else(|| Failure::ours("the partner has no key"))
    }
}

fn message(at: Timestamp) -> Letter {
    Letter::post_json("/message1", message1(at).to_string())
}

/// The same with one header written otherwise.
fn edited(letter: &Letter, name: &'static str, edit: impl Fn(&str) -> String) -> Result<Letter, Failure> {
    let mut letter = letter.clone();
    let value = letter.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let value = HeaderValue::from_str(&edit(value)).map_err(Failure::ours)?;
    letter.headers.insert(name, value);
    Ok(letter)
}
