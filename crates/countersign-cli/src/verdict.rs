//! What came of verifying, and what would make it pass.

use countersign::{Code, Identity, Refusal, Timestamp};
use serde_json::{Value, json};

use crate::exit::{Exit, Failure};
use crate::output::{self, say};

/// Prints a verdict.
pub(crate) fn print(verdict: &Result<Identity, Refusal>, now: Timestamp, as_json: bool) -> Result<Exit, Failure> {
    match verdict {
        Ok(identity) => {
            if as_json {
                output::json(&verified(identity));
            } else {
                accepted(identity, now);
            }
            Ok(Exit::FINE)
        }
        Err(Refusal::Unavailable(fault)) => Err(fault.clone().into()),
        Err(Refusal::Rejected(rejection)) => {
            let code = rejection.code();
            let (check, fix) = check_and_fix(code);
            if as_json {
                output::json(&json!({
                    "verdict": "refused", "code": code.as_str(), "check": check,
                    "reason": rejection.reason(), "fix": fix, "exit": code.exit(),
                }));
            } else {
                let red = output::red("refused", std::io::IsTerminal::is_terminal(&std::io::stdout()));
                say!("{red}: {code}");
                say!("{}", output::fitted("check      ", 11, &format!("{check}: {}", rejection.reason())));
                say!("{}", output::fitted("fix        ", 11, fix));
            }
            Ok(code.into())
        }
    }
}

fn verified(identity: &Identity) -> Value {
    json!({
        "verdict": "verified", "scheme": identity.scheme.as_str(), "algorithm": identity.algorithm.as_str(),
        "partner": named(&identity.partner), "key": &*identity.key, "version": identity.version,
        "created": identity.created.map(|created| created.to_string()),
    })
}

fn accepted(identity: &Identity, now: Timestamp) {
    say!("{}", output::green("verified"));
    say!("scheme     {}", identity.scheme);
    say!("algorithm  {}", identity.algorithm);
    say!("key        {}", identity.key);
    if let Some(partner) = named(&identity.partner) {
        say!("partner    {partner}, version {} of the key", identity.version);
    }
    if let Some(created) = identity.created {
        let age = now.as_secs().saturating_sub(created.as_secs());
        let age = if age < 0 { format!("{} s in the future", -age) } else { format!("{age} s ago") };
        say!("signed     {created}, {age}");
    }
}

/// A key from a file belongs to nobody.
fn named(partner: &str) -> Option<&str> {
    (!partner.is_empty()).then_some(partner)
}

/// The check that failed, in the order of the contract, and what to do about it.
pub(crate) fn check_and_fix(code: Code) -> (&'static str, &'static str) {
    match code {
        Code::Malformed => ("form", "send one well-formed message: correct what the check names, then sign again"),
        Code::Ambiguous => ("form", "leave one signature in one scheme, or tell signatures apart by tag and key id"),
        Code::NoRoute => ("route", "add a [[route]] with this path to the configuration, or correct the path"),
        Code::Unsigned => ("form", "sign it: countersign sign --key FILE --id ID < MESSAGE"),
        Code::SchemeNotAllowed => ("scheme", "sign in a scheme that is admitted here, or admit this one (--scheme)"),
        Code::UnknownSigner => (
            "signer known",
            "register the key: countersign key add --partner NAME --id ID --scheme S --algorithm A --public-key F",
        ),
        Code::TooOld => ("time", "sign anew for every attempt; to judge it as of another time say --now T"),
        Code::NotYetValid => ("time", "set the sender's clock; to judge it as of another time say --now T"),
        Code::CoverageTooSmall => ("coverage", "sign all that is demanded: countersign sign does, or see --require"),
        Code::KeyNotUsable => ("key usable", "look at it with countersign key show ID, and sign with an active key"),
        Code::AlgorithmMismatch => ("algorithm", "sign with the algorithm that the key is registered for"),
        Code::BadSignature | Code::SignatureInvalid => (
            "signature",
            "sign the bytes as they arrive, with the other half of this key; compare with countersign sign --show-base",
        ),
        Code::PartnerNotAllowed => ("partner allowed", "add the partner to the route's partners, or leave that empty"),
        Code::ChannelMismatch => ("channel", "connect with the client certificate of the partner that signs"),
        Code::DigestMismatch => ("digest", "send the body byte for byte as it was signed; nothing may reformat it"),
        Code::Replayed => ("replay", "sign anew for every attempt, with a new nonce"),
        Code::BodyTooLarge => ("size", "send less, or raise the route's max_body"),
        _ => ("others", "see the reason"),
    }
}
