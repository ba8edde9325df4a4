//! User tokens: JWTs (RFC 7519) that this deployment issues for users whom a site vouched for, and takes back as proof.
//!
//! A signature proves which site speaks, a token for which user. One is taken only as ours: `kid` picks the key, the key decides
//! the algorithm, issuer and audience are the deployment's own, and it counts only as long as the site that vouched does.

mod held;
mod key;
mod moment;
mod revoked;
#[cfg(test)]
mod tests;

use std::time::Duration;

use http::header;
use serde::{Deserialize, Serialize};

use crate::algorithm::Scheme;
use crate::key::Keys;
use crate::message::Head;
use crate::rejection::{Code, Rejection, Unavailable};
use crate::time::Timestamp;
use moment::Moment;

pub use held::HeldToken;
pub use key::{TokenAlgorithm, TokenKey, TokenKeys, TokenSigner};
pub use revoked::{Revocation, Revocations};

/// What a deployment writes into its tokens, and expects there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenSettings {
    /// `iss`.
    pub issuer: String,
    /// `aud`, the one.
    pub audience: String,
    /// From issue to expiry, in whole seconds.
    pub lifetime: Duration,
}

/// Whom a token speaks of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TokenSubject<'a> {
    /// `sub`: the user's id, printable ASCII without blanks, 1 to 128.
    pub user: &'a str,
    /// The user's e-mail.
    pub email: &'a str,
    /// The id of the `trusted-site` key that vouched.
    pub site: &'a str,
}

/// A token that was issued.
#[derive(Clone, PartialEq, Eq)]
pub struct IssuedToken {
    /// The token itself, in compact form.
    pub token: String,
    /// Its `jti`, by which it can be revoked.
    pub id: String,
    /// When it ends.
    pub expires: Timestamp,
}

/// By what tokens are judged.
#[derive(Clone, Copy)]
pub struct TokenJudge<'a> {
    /// What is expected in them.
    pub settings: &'a TokenSettings,
    /// The keys that they are signed with, and what was revoked.
    pub keys: &'a TokenKeys,
    /// The keys of the sites that vouch.
    pub sites: &'a Keys,
    /// The time.
    pub now: Timestamp,
}

/// A user token that was checked. [`TokenJudge::check`] alone makes one.
#[derive(Debug)]
#[must_use]
pub struct Token {
    claims: Claims,
    kid: String,
    partner: String,
    expires: Timestamp,
}

impl Token {
    /// Whom the token speaks of: `sub`.
    #[must_use]
    pub fn user(&self) -> &str {
        &self.claims.sub
    }

    /// The user's e-mail, as it was when the token was issued.
    #[must_use]
    pub fn email(&self) -> &str {
        &self.claims.email
    }

    /// The id of the key of the site that vouched.
    #[must_use]
    pub fn site(&self) -> &str {
        &self.claims.site
    }

    /// The partner whose site that is.
    #[must_use]
    pub fn partner(&self) -> &str {
        &self.partner
    }

    /// Its `jti`.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.claims.jti
    }

    /// When it ends.
    #[must_use]
    pub fn expires(&self) -> Timestamp {
        self.expires
    }

    /// The token for what outlives its request.
    #[must_use]
    pub fn held(&self) -> HeldToken {
        HeldToken::of(self)
    }
}

impl<'a> TokenJudge<'a> {
    /// Checks the token in `Authorization: Bearer …` (RFC 6750 §2.1): signature, issuer, audience, time, revocation, and whether
    /// the site that vouched still may.
    ///
    /// # Errors
    /// `token_missing` where there is none; `token_expired` past its time; `token_invalid` for everything else.
    pub fn check(&self, head: &Head) -> Result<Token, Rejection> {
        let (claims, kid) = self.keys.open(bearer(head)?, self.now)?;
        let (partner, expires) = self.judge(&claims)?;
        let partner = partner.to_owned();
        Ok(Token { claims, kid, partner, expires })
    }

    /// Judges what a token of ours says. Gives the partner whose site vouched, and when the token ends.
    fn judge(&self, claims: &Claims) -> Result<(&'a str, Timestamp), Rejection> {
        if claims.iss != self.settings.issuer {
            return Err(invalid("another issuer's token"));
        }
        if claims.aud != self.settings.audience {
            return Err(invalid("the token is for another audience"));
        }
        let issued = Moment::of(&claims.jti).filter(|issued| issued.at.as_secs() == claims.iat);
        let issued = issued.ok_or_else(|| invalid("the token's jti is not of its time"))?;
        if !is_word(&claims.sub) || claims.site.is_empty() {
            return Err(invalid("the token names no user, or no site"));
        }
        let skewed = self.now.after(SKEW).as_secs();
        if claims.nbf > skewed || claims.iat > skewed {
            return Err(invalid("the token is not yet valid"));
        }
        // A lifetime that was shortened holds for what was issued before, too.
        let expires =
            Timestamp::from_secs(claims.exp).min(Timestamp::from_secs(claims.iat).after(self.settings.lifetime));
        if expires <= self.now {
            return Err(Rejection::new(Code::TokenExpired, format!("the token expired at {expires}")));
        }
        let versions = self.sites.versions(Scheme::TrustedSite, &claims.site);
        let usable = versions.iter().find(|key| key.usable(self.now));
        let partner = usable.map(|key| key.record().partner.as_str());
        let partner = partner.ok_or_else(|| invalid("the site that vouched for the user is not admitted any more"))?;
        if self.keys.revoked().hold(claims, partner, issued) {
            return Err(invalid("the token was revoked"));
        }
        Ok((partner, expires))
    }
}

impl TokenSigner<'_> {
    /// Issues a token. `random` are bytes that nobody can guess.
    ///
    /// # Errors
    /// [`Unavailable`] where the provider fails, or for a subject that no token of ours is for.
    pub fn issue(
        &self,
        settings: &TokenSettings,
        subject: TokenSubject<'_>,
        random: [u8; 6],
        now: Timestamp,
    ) -> Result<IssuedToken, Unavailable> {
        if !is_word(subject.user) {
            return Err(Unavailable::new("token key", "a user's id is no word"));
        }
        let iat = now.as_secs();
        let exp = Timestamp::from_secs(iat).after(settings.lifetime).as_secs();
        let claims = Claims {
            iss: settings.issuer.clone(),
            sub: subject.user.to_owned(),
            aud: settings.audience.clone(),
            exp,
            nbf: iat,
            iat,
            jti: Moment { at: now, generation: self.generation() }.id(random),
            site: subject.site.to_owned(),
            email: subject.email.to_owned(),
        };
        let token = self.sign(&claims)?;
        if token.len() > MAX_TOKEN {
            return Err(Unavailable::new("token key", "the token would be too long to be taken"));
        }
        Ok(IssuedToken { token, id: claims.jti, expires: Timestamp::from_secs(exp) })
    }
}

/// What a token says (RFC 7519 §4.1), and the two claims of ours. Of a claim that stands twice, and of an `aud` or a time of another
/// form, reading makes an error.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Claims {
    iss: String,
    sub: String,
    aud: String,
    exp: i64,
    nbf: i64,
    iat: i64,
    jti: String,
    site: String,
    email: String,
}

/// The one token of a request. RFC 9110 §11.1: the name of the scheme in any case.
fn bearer(head: &Head) -> Result<&str, Rejection> {
    let missing = || Rejection::new(Code::TokenMissing, "there is no Authorization: Bearer with a user token");
    // That the field stands once was judged with the head.
    let value = head.headers().get(header::AUTHORIZATION).ok_or_else(missing)?.as_bytes();
    let (scheme, rest) = value.split_at_checked("Bearer ".len()).ok_or_else(missing)?;
    if !scheme.eq_ignore_ascii_case(b"Bearer ") {
        return Err(missing());
    }
    if rest.len() > MAX_TOKEN {
        return Err(invalid("the token is longer than 4096 bytes"));
    }
    std::str::from_utf8(rest).map_err(|_| invalid("the token is no JWT"))
}

/// `[!-~]{1,128}`: what can stand in a header, a log and a command line.
fn is_word(text: &str) -> bool {
    (1..=128).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
}

fn invalid(reason: &'static str) -> Rejection {
    Rejection::new(Code::TokenInvalid, reason)
}

const MAX_TOKEN: usize = 4096;

/// How far the clocks of two gateways may differ.
const SKEW: Duration = Duration::from_secs(30);
