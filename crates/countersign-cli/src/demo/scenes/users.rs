//! Users for whom a site vouches, and the tokens that they come back with.

use countersign::{Code, Form, Scheme, Timestamp, TokenAlgorithm, TokenKey, TokenKeys, TokenSettings, TokenSubject};
use countersign_proxy::ExchangeSettings;
use http::{HeaderValue, header};
use serde_json::{Value, json};

use super::{Cast, Expected, Letter, Row, id, row_of, sign};
use crate::exit::Failure;
use crate::{moment, random};

impl Cast {
    /// A site registers a user and logs the user in; then what comes of tokens.
    pub(super) async fn users(&self) -> Result<Vec<Row>, Failure> {
        let (now, refused) = (moment::now(), Expected::Refused);
        let (site, key) = &self.signers.site;
        let ask = async |target: &str, email: &str| {
            // Bound to its path by the site, since the scheme is not.
            let payload = json!({ "email": email, "for": target, "request": id() }).to_string();
            sign(Letter::post_json(target, payload), self.gateway, key, Form::new(Scheme::TrustedSite, site), now).await
        };
        let (register, login) = (ExchangeSettings::REGISTER, ExchangeSettings::LOGIN);
        let scenes = [
            ("register", Expected::Created, ask(register, "ana@example.com").await?),
            ("register again", refused(Code::UserExists), ask(register, "Ana@Example.com").await?),
            ("no address", refused(Code::UserInvalid), ask(register, "ana").await?),
            ("login, nobody", refused(Code::NoUser), ask(login, "bob@example.com").await?),
            ("login", Expected::Passed, ask(login, "ana@example.com").await?),
        ];
        let mut rows = self.all(Scheme::TrustedSite, scenes).await;
        // Where the login failed, its row says so.
        let answer = rows.last().and_then(|row| row.answer.as_ref().ok());
        let answer: Value = answer.and_then(|it| serde_json::from_slice(&it.body).ok()).unwrap_or_default();
        let token = answer["access_token"].as_str().unwrap_or("none").to_owned();

        let hour = std::time::Duration::from_secs(3600);
        let expired = token_of(&self.token_settings, &self.token_keys, site, now.before(hour))?;
        let other = TokenSettings { issuer: "https://other.example".to_owned(), ..self.token_settings.clone() };
        let foreign = token_of(&other, &foreign_keys()?, site, now)?;
        for (scene, expected, token) in [
            ("GET /auth/me", Expected::Passed, Some(token.as_str())),
            ("no token", refused(Code::TokenMissing), None),
            ("expired token", refused(Code::TokenExpired), Some(expired.as_str())),
            ("other issuer's", refused(Code::TokenInvalid), Some(foreign.as_str())),
        ] {
            let mut letter = Letter::get("/auth/me");
            if let Some(token) = token {
                let value = HeaderValue::from_str(&format!("Bearer {token}")).map_err(Failure::ours)?;
                letter.headers.insert(header::AUTHORIZATION, value);
            }
            rows.push(row_of(scene.to_owned(), "user token", expected, self.gateway, letter).await);
        }
        Ok(rows)
    }
}

fn token_of(settings: &TokenSettings, keys: &TokenKeys, site: &str, at: Timestamp) -> Result<String, Failure> {
    let subject = TokenSubject { user: "somebody", email: "somebody@example.com", site };
    // The key of now, whenever it is said to have been.
    let mut unique = [0; 6];
    random::fill(&mut unique)?;
    Ok(keys.signer(moment::now())?.issue(settings, subject, unique, at)?.token)
}

/// Of another deployment.
fn foreign_keys() -> Result<TokenKeys, Failure> {
    let algorithm = TokenAlgorithm::EdDsa;
    let pair = algorithm.generate()?;
    let key = TokenKey::new(algorithm, pair.private.as_bytes(), Timestamp::from_secs(0), None, None)?;
    Ok(TokenKeys::new(vec![key], countersign::Revocations::default()))
}
