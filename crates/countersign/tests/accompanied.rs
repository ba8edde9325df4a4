//! A user token beside a signature: of the partner who signs, under the signature, or not at all.

mod support;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use countersign::*;
use support::{Memory, NOW, Pair, Request, run};

/// A partner who signs, the sites that vouch, and what issues tokens.
struct Place {
    pair: Pair,
    settings: TokenSettings,
    token_keys: TokenKeys,
    keys: Keys,
}

impl Place {
    fn new(scheme: Scheme, algorithm: Algorithm) -> Self {
        let pair = Pair::new(scheme, algorithm, "acme-1", "acme");
        let site =
            |id: &str, partner: &str| Pair::new(Scheme::TrustedSite, Algorithm::RsaV15Sha256, id, partner).record;
        let records = [pair.record.clone(), site("shop", "acme"), site("mall", "rival")];
        let keys = Keys::new(records.map(|record| VerifyingKey::new(record).unwrap()));
        let private = TokenAlgorithm::EdDsa.generate().unwrap().private;
        let key = TokenKey::new(TokenAlgorithm::EdDsa, private.as_bytes(), Timestamp::from_secs(0), None, None);
        let settings = TokenSettings {
            issuer: "https://api.example.com".to_owned(),
            audience: "api".to_owned(),
            lifetime: Duration::from_secs(900),
        };
        Self { pair, settings, token_keys: TokenKeys::new(vec![key.unwrap()], Revocations::default()), keys }
    }

    fn token(&self, site: &str) -> String {
        let subject = TokenSubject { user: "u-1", email: "ann@example.com", site };
        self.token_keys.signer(NOW).unwrap().issue(&self.settings, subject, [7; 6], NOW).unwrap().token
    }

    fn judge(&self) -> TokenJudge<'_> {
        TokenJudge { settings: &self.settings, keys: &self.token_keys, sites: &self.keys, now: NOW }
    }

    /// As far as the first use.
    fn fresh(&self, token: Option<&str>, demands: Demands, cover: Option<&[&str]>) -> Result<Fresh, Refusal> {
        let mut request = Request::post("/orders", "application/json", b"{}");
        if let Some(token) = token {
            request.headers.insert("authorization", format!("Bearer {token}").parse().unwrap());
        }
        let scheme = self.pair.record.scheme;
        let cover = cover.map(|names| names.iter().map(|&name| name.to_owned()).collect());
        let form = Form { cover, app_hmac: self.pair.record.form, ..Form::new(scheme, "acme-1") };
        request.sign_as(&self.pair, form, if scheme == Scheme::AppHmac { "0123abcd" } else { "nonce" }, NOW);
        let body = Bytes::from(request.body.clone());
        let policy = Arc::new(Policy::new(demands).unwrap());
        let mut open = Claim::read(request.head()?, &policy)?.check(&self.keys, NOW)?;
        open.push(body)?;
        run(open.finish(&self.keys, NOW)?.first_use(&self.keys, &Memory::default(), NOW))
    }
}

const COVER: [&str; 7] =
    ["@method", "@authority", "@path", "@query", "content-digest", "content-type", "authorization"];

fn demands(scheme: Scheme) -> Demands {
    Demands { schemes: vec![scheme], user_token: true, path: "/orders".to_owned(), ..Demands::default() }
}

fn code<T>(result: Result<T, impl Into<Refusal>>) -> Option<Code> {
    match result.map_err(Into::into) {
        Ok(_) => None,
        Err(Refusal::Rejected(rejection)) => Some(rejection.code()),
        Err(Refusal::Unavailable(unavailable)) => panic!("{unavailable}"),
    }
}

#[test]
fn mistake_40_a_users_token_riding_on_another_partners_signature() {
    let place = Place::new(Scheme::HttpMessageSignatures, Algorithm::Ed25519);
    let fresh = |site: &str| {
        place.fresh(Some(&place.token(site)), demands(Scheme::HttpMessageSignatures), Some(&COVER)).unwrap()
    };
    assert_eq!(code(fresh("mall").accompanied(&place.judge())), Some(Code::PartnerNotAllowed));
    let ready = fresh("shop").accompanied(&place.judge()).unwrap().unpack(&Openers::default(), ()).unwrap();
    let basis = ready.basis();
    assert!(matches!(&basis, Basis::Both(both) if &*both.ready().identity().partner == "acme"));
    assert_eq!(basis.token().map(Token::user), Some("u-1"));
}

#[test]
fn a_token_that_is_demanded_and_that_nobody_looked_at() {
    let place = Place::new(Scheme::HttpMessageSignatures, Algorithm::Ed25519);
    let fresh = place.fresh(Some(&place.token("shop")), demands(Scheme::HttpMessageSignatures), Some(&COVER)).unwrap();
    assert_eq!(code(fresh.unpack(&Openers::default(), ())), Some(Code::TokenMissing));
    // Where none is demanded, one that came all the same is nobody's business.
    let without = Demands { user_token: false, ..demands(Scheme::HttpMessageSignatures) };
    let fresh = place.fresh(Some("anything"), without, Some(&COVER)).unwrap();
    let ready = fresh.accompanied(&place.judge()).unwrap().unpack(&Openers::default(), ()).unwrap();
    assert!(matches!(ready.basis(), Basis::Signed(_)));
}

#[test]
fn a_token_that_the_signature_does_not_cover_could_be_put_in_on_the_way() {
    let place = Place::new(Scheme::HttpMessageSignatures, Algorithm::Ed25519);
    let token = place.token("shop");
    let uncovered = place.fresh(Some(&token), demands(Scheme::HttpMessageSignatures), Some(&COVER[..6]));
    assert_eq!(code(uncovered), Some(Code::CoverageTooSmall));
    // A scheme that covers no header can't.
    let place = Place::new(Scheme::AppHmac, Algorithm::HmacSha256);
    let token = place.token("shop");
    assert_eq!(code(place.fresh(Some(&token), demands(Scheme::AppHmac), None)), Some(Code::CoverageTooSmall));
    let place = Place::new(Scheme::TrustedSite, Algorithm::RsaV15Sha256);
    let token = place.token("shop");
    assert_eq!(code(place.fresh(Some(&token), demands(Scheme::TrustedSite), None)), Some(Code::CoverageTooSmall));
}
