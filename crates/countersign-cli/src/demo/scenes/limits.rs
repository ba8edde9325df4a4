//! At the narrow gateway: what a deployment refuses for its limits, for its API's sake, or without saying why.

use countersign::{Code, Form, Scheme};
use http::{HeaderName, HeaderValue};

use super::{Cast, Expected, Letter, Row, at, message1, sign};
use crate::exit::Failure;
use crate::moment;

impl Cast {
    pub(super) async fn limits(&self) -> Result<Vec<Row>, Failure> {
        let scheme = Scheme::HttpMessageSignatures;
        let (id, key) = self.partners_key()?;
        let signed = async |path: &str, id: &str| {
            let now = moment::now();
            let letter = Letter::post_json(path, message1(now).to_string());
            sign(letter, self.narrow, key, Form::new(scheme, id), now).await
        };
        let mut wide = signed("/message1", id).await?;
        for number in 0..20 {
            let name = HeaderName::try_from(format!("x-{number}")).map_err(Failure::ours)?;
            wide.headers.insert(name, HeaderValue::from_static("1"));
        }
        let slow = Letter { stalls: true, ..signed("/message1", id).await? };
        let refused = Expected::Refused;
        let scenes = [
            ("other partner's", refused(Code::PartnerNotAllowed), signed("/closed", id).await?),
            ("reason not told", refused(Code::SignatureInvalid), signed("/discreet", "stranger").await?),
            ("too large", refused(Code::BodyTooLarge), signed("/small", id).await?),
            ("too many headers", Expected::CutOff(Code::HeadTooLarge), wide),
            ("too slow", refused(Code::TooSlow), slow),
            ("API is down", refused(Code::UpstreamFailed), signed("/gone", id).await?),
            ("API is silent", refused(Code::UpstreamTimeout), signed("/silent", id).await?),
            // By now the memory is full, and nothing that it holds is forgotten before its time.
            ("memory is full", refused(Code::Unavailable), signed("/message1", id).await?),
        ];
        Ok(at(self.narrow, scheme, scenes).await)
    }
}
