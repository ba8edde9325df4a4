use std::collections::{HashMap, HashSet};

use super::Claims;
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

/// All revocations that may still meet a token.
#[derive(Clone, Debug, Default)]
pub struct Revocations {
    tokens: HashSet<String>,
    users: HashMap<String, Timestamp>,
    sites: HashMap<String, Timestamp>,
    partners: HashMap<String, Timestamp>,
}

impl Revocations {
    /// Adds one that was made at this moment: it holds for what was issued until then.
    pub fn add(&mut self, what: Revocation, at: Timestamp) {
        let (of, name) = match what {
            Revocation::Token(id) => {
                self.tokens.insert(id);
                return;
            }
            Revocation::User(name) => (&mut self.users, name),
            Revocation::Site(name) => (&mut self.sites, name),
            Revocation::Partner(name) => (&mut self.partners, name),
        };
        let standing = of.entry(name).or_insert(at);
        *standing = at.max(*standing);
    }

    /// Whether one of them holds for a token of this partner that was issued at this moment.
    pub(super) fn hold(&self, claims: &Claims, partner: &str, issued: Timestamp) -> bool {
        let hold = |of: &HashMap<String, Timestamp>, name: &str| of.get(name).is_some_and(|at| issued <= *at);
        self.tokens.contains(&claims.jti)
            || hold(&self.users, &claims.sub)
            || hold(&self.sites, &claims.site)
            || hold(&self.partners, partner)
    }
}
