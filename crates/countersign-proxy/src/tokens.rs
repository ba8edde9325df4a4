//! User tokens, as this gateway has them at one moment.

use std::sync::Arc;

use countersign::{Keys, Timestamp, TokenJudge, TokenKeys, TokenSettings, TokenSubject, Unavailable};

use crate::gate::Gate;

/// What issues tokens and judges them.
pub(crate) struct Tokens {
    settings: Arc<TokenSettings>,
    keys: Arc<TokenKeys>,
}

impl Tokens {
    /// Whether a token could be issued.
    ///
    /// # Errors
    /// [`Unavailable`] where no key signs.
    pub(crate) fn can_issue(&self, now: Timestamp) -> Result<(), Unavailable> {
        self.keys.signer(now).map(drop)
    }

    /// Issues a token for a user for whom this site vouched.
    pub(crate) fn issue(&self, user: &str, email: &str, site: &str, now: Timestamp) -> Result<String, Unavailable> {
        let mut random = [0; 6];
        aws_lc_rs::rand::fill(&mut random).map_err(|_| Unavailable::new("token key", "no randomness"))?;
        let subject = TokenSubject { user, email, site };
        Ok(self.keys.signer(now)?.issue(&self.settings, subject, random, now)?.token)
    }

    /// What judges them, by the sites among these keys.
    pub(crate) fn judge<'a>(&'a self, sites: &'a Keys, now: Timestamp) -> TokenJudge<'a> {
        TokenJudge { settings: &self.settings, keys: &self.keys, sites, now }
    }

    /// The public keys, as JWKs.
    pub(crate) fn jwks(&self, now: Timestamp) -> impl Iterator<Item = &str> {
        self.keys.jwks(now)
    }
}

impl Gate {
    /// What tokens are issued and judged by.
    ///
    /// # Errors
    /// [`Unavailable`] where there are none here, or where the registry can't be read.
    pub(crate) fn tokens(&self, now: Timestamp) -> Result<Tokens, Unavailable> {
        let settings = self.table.load().tokens.clone();
        let (Some(settings), Some(keys)) = (settings, &self.token_keys) else {
            return Err(Unavailable::new("token key", "this gateway has no user tokens"));
        };
        Ok(Tokens { settings, keys: keys(now)? })
    }
}
