use std::collections::{HashMap, HashSet};

use super::Claims;
use super::moment::Moment;
use crate::time::Timestamp;

/// Tokens that count no more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Revocation {
    /// The one with this `jti`.
    Token(String),
    /// All of this user, issued until then.
    User(String),
    /// All that this site vouched for.
    Site(String),
    /// All that any site of this partner vouched for.
    Partner(String),
}

impl Revocation {
    /// Whether a text is what tokens have as `jti`: a UUID of version 7, in lower case. No other is one of a token.
    #[must_use]
    pub fn is_token_id(text: &str) -> bool {
        Moment::of(text).is_some()
    }
}

/// All revocations that may still meet a token, as the registry has them at one generation: a number that each of its changes raises.
///
/// The clock of a gateway may be ahead of the one by which a revocation is dated. So a token says, beside the time at which it was
/// issued, which generation its issuer knew, and is revoked, too, where that is one from before the revocation.
#[derive(Clone, Debug, Default)]
pub struct Revocations {
    generation: i64,
    tokens: HashSet<String>,
    users: HashMap<String, Moment>,
    sites: HashMap<String, Moment>,
    partners: HashMap<String, Moment>,
}

impl Revocations {
    /// None of them yet, and what is issued under them has known all changes up to this generation.
    #[must_use]
    pub fn known_up_to(generation: i64) -> Self {
        Self { generation, ..Self::default() }
    }

    /// Adds one that was made at this moment, and with this generation: it holds for what was issued until then, by the one or the
    /// other. Of one that was made several times the later moment counts, and the later generation.
    pub fn add(&mut self, what: Revocation, at: Timestamp, generation: i64) {
        let (of, name) = match what {
            Revocation::Token(id) => {
                self.tokens.insert(id);
                return;
            }
            Revocation::User(name) => (&mut self.users, name),
            Revocation::Site(name) => (&mut self.sites, name),
            Revocation::Partner(name) => (&mut self.partners, name),
        };
        let standing = of.entry(name).or_insert(Moment { at, generation });
        *standing = Moment { at: at.max(standing.at), generation: generation.max(standing.generation) };
    }

    pub(super) fn generation(&self) -> i64 {
        self.generation
    }

    /// Whether one of them holds for a token of this partner that was issued at this moment.
    pub(super) fn hold(&self, claims: &Claims, partner: &str, issued: Moment) -> bool {
        let hold = |of: &HashMap<String, Moment>, name: &str| of.get(name).is_some_and(|end| issued.ends_with(*end));
        self.tokens.contains(&claims.jti)
            || hold(&self.users, &claims.sub)
            || hold(&self.sites, &claims.site)
            || hold(&self.partners, partner)
    }
}
