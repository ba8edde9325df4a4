use super::{Claims, Token, TokenJudge};

/// The token that something was granted for which goes on after the request, so that it can end with the token. What it says was
/// verified once; whether that still counts is asked anew.
pub struct HeldToken {
    claims: Claims,
    kid: String,
    partner: String,
}

impl HeldToken {
    pub(super) fn of(token: &Token) -> Self {
        Self { claims: token.claims.clone(), kid: token.kid.clone(), partner: token.partner.clone() }
    }

    /// Whether it would still be judged good, for a user of the same partner: not past its time, the key that signed it still taken, the
    /// site that vouched still admitted, nothing of it revoked.
    #[must_use]
    pub fn holds(&self, judge: &TokenJudge<'_>) -> bool {
        let Self { claims, kid, partner } = self;
        let same = |judged: Result<(&str, _), _>| judged.is_ok_and(|(of_now, _)| of_now == partner);
        judge.keys.verifies(kid, judge.now) && same(judge.judge(claims))
    }
}
