//! What the demo prints: one line per scene, in 80 columns.

use std::io::IsTerminal;
use std::path::Path;

use super::cost::Cost;
use super::register::PARTNER;
use super::scenes::{Cast, Expected, Row};
use crate::output::{count, green, red, say};

pub(super) fn rows(rows: &[Row]) {
    say!("{:<17} {:<23} {:<23} {:<6} {:>6}", "scene", "scheme", "expected", "actual", "ms");
    for row in rows {
        say!("{}", line(row));
    }
    say!("");
    let wrong: Vec<_> = rows.iter().filter(|row| !row.holds()).collect();
    if wrong.is_empty() {
        say!("{}, all as expected", count(rows.len(), "row"));
        for (row, note) in rows.iter().filter_map(|row| Some((row, row.note.as_deref()?))) {
            say!("{}: {note}", row.scene);
        }
    } else {
        say!("{}, {} not as expected:", count(rows.len(), "row"), wrong.len());
        for row in wrong {
            let answer = row.answer.as_ref();
            let told = answer.map(|answer| String::from_utf8_lossy(&answer.body).into_owned());
            let told = row.besides.clone().unwrap_or_else(|| told.unwrap_or_else(Clone::clone));
            say!("  {}, {}: {told}", row.scene, row.scheme);
        }
    }
}

/// Scene, scheme, what was expected, what came, and how long it took. What is not as expected takes the room that it needs.
fn line(row: &Row) -> String {
    let code = row.expected.code().map_or_else(String::new, |code| format!(" {code}"));
    let expected = format!("{}{code}", row.expected.status());
    let (scheme, ms) = (row.scheme, row.took.as_secs_f64() * 1e3);
    if row.holds() {
        let actual = green(&format!("{:<6}", row.expected.status()));
        return format!("{:<17} {scheme:<23} {expected:<23} {actual} {ms:>6.1}", row.scene);
    }
    let actual = match (&row.answer, row.came()) {
        (Ok(answer), Some(code)) => format!("{} {code}", answer.status.as_u16()),
        (Ok(answer), None) => answer.status.as_u16().to_string(),
        (Err(_), _) => "none".to_owned(),
    };
    let actual = red(&format!("NOT {actual}"), std::io::stdout().is_terminal());
    format!("{:<17} {scheme} {expected} {actual} {ms:.1}", row.scene)
}

/// Each refusal that was seen, and what it says to do.
pub(super) fn advice(rows: &[Row]) {
    say!("{:<19} {}", "refusal", "what it says to do");
    let mut told: Vec<(&str, String)> = Vec::new();
    for row in rows {
        let Some(code) = row.expected.code() else { continue };
        let advice = match (row.expected, &row.answer) {
            (Expected::Refused(_), Ok(answer)) => answer.told("advice").unwrap_or_default(),
            // It has no body to say it in.
            _ => code.advice().to_owned(),
        };
        if told.iter().all(|(other, _)| *other != code.as_str()) {
            told.push((code.as_str(), advice));
        }
    }
    for (code, advice) in told {
        say!("{code:<19} {advice}");
    }
}

pub(super) fn costs(costs: &[Cost]) {
    say!("{:<23} {:<17} {:>10} {:>10}", "median cost in µs", "algorithm", "sign", "verify");
    for Cost { scheme, algorithm, sign, verify } in costs {
        say!("{:<23} {:<17} {sign:>10.0} {verify:>10.0}", scheme.as_str(), algorithm.as_str());
    }
}

/// Commands that work as they stand in bash, one after the other, and again later: the time stamps are the shell's.
pub(super) fn to_try(cast: &Cast, dir: &Path) {
    let (gateway, sender, sidecar) = (cast.gateway, cast.sender_api, cast.sidecar);
    let id = format!("{PARTNER}-ed25519");
    say!("Still serving, until Ctrl-C. To try, in another bash:");
    say!("");
    say!("cd {}   # keys, countersign.toml, gateway.log", dir.display());
    say!("M='{{\"message_id\": \"try-'$RANDOM'\", \"sender\": \"me\", \"content\": \"Hello\",");
    say!(" \"priority\": \"low\", \"timestamp\": \"'$(date -u +%FT%TZ)'\"}}'");
    say!("J='Content-Type: application/json'");
    say!("# The Sender API signs it: it passes. Sent again, it is a replay.");
    say!("curl -s http://{sender}/send/message1 -H \"$J\" -d \"$M\"; echo");
    say!("curl -s http://{sender}/send/message1 -H \"$J\" -d \"$M\"; echo");
    say!("# A file.");
    say!("curl -s http://{sender}/send/file -F message_id=f-$RANDOM -F sender=me \\");
    say!("  -F timestamp=$(date -u +%FT%TZ) -F file=@public_key.pem; echo");
    say!("# Refused: nobody signed it.");
    say!("curl -s http://{gateway}/message1 -H \"$J\" -d \"$M\"; echo");
    say!("# The same by the sidecar, which signs for a sender that can't.");
    say!("curl -s http://{sidecar}/message1 -H \"$J\" -d \"$M\"; echo");
    say!("# Signed with a key of the partner: what the Receiver API has got.");
    say!("get() {{ ./countersign curl --key {id}.key --id {id} $*; }}");
    say!("get http://{gateway}/messages; echo");
    say!("# The same, sent twice: refused, with what to do about it.");
    say!("get http://{gateway}/messages --tamper replay");
    say!("# Revoked: a second later that key opens nothing.");
    say!("./countersign key revoke {id} --reason 'just trying'");
    say!("sleep 1; get http://{gateway}/messages");
}
