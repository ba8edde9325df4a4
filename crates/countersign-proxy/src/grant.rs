use countersign::{HeldToken, SignedBy, Timestamp, Token};

use crate::gate::Gate;

/// What a request was granted something for that outlives it, as a tunnel does. Asked again as long as that lasts.
pub(crate) struct Grant {
    signer: Option<SignedBy>,
    token: Option<HeldToken>,
}

impl Grant {
    /// For a signature, a user token, or both.
    pub(crate) fn of(signer: Option<SignedBy>, token: Option<&Token>) -> Self {
        Self { signer, token: token.map(Token::held) }
    }

    /// Whether key and token are as good as they were. Where that can't be told, they are not.
    pub(crate) fn stands(&self, gate: &Gate, now: Timestamp) -> bool {
        let usable = |signer: &SignedBy| gate.keys(now).is_ok_and(|keys| signer.is_usable(&keys, now));
        let holds = |token: &HeldToken| match (gate.tokens(now), gate.keys(now)) {
            (Ok(tokens), Ok(keys)) => token.holds(&tokens.judge(&keys, now)),
            _ => false,
        };
        self.signer.as_ref().is_none_or(usable) && self.token.as_ref().is_none_or(holds)
    }
}
