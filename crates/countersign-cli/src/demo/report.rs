//! What the demo prints: one line per scene, in 80 columns.

use std::path::Path;

use super::cost::Cost;
use super::register::PARTNER;
use super::scenes::{Cast, Expected, Row};
use crate::output::{green, red, say};

pub(super) fn rows(rows: &[Row]) {
    say!("{:<17} {:<23} {:>8} {:>8} {:>8}", "scene", "scheme", "expected", "actual", "ms");
    for row in rows {
        let actual =
            row.answer.as_ref().map_or_else(|_| "none".to_owned(), |answer| answer.status.as_u16().to_string());
        let actual = format!("{actual:>8}");
        let terminal = std::io::IsTerminal::is_terminal(&std::io::stdout());
        let actual = if row.holds() { green(&actual) } else { red(&actual, terminal) };
        let (expected, ms) = (row.expected.status(), row.took.as_secs_f64() * 1e3);
        say!("{:<17} {:<23} {expected:>8} {actual} {ms:>8.1}", row.scene, row.scheme.as_str());
    }
    for row in rows.iter().filter(|row| !row.holds()) {
        let expected = match row.expected {
            Expected::Passed => "to pass".to_owned(),
            Expected::Refused(code) => format!("{} {code}", code.status()),
        };
        let actual = match &row.answer {
            Ok(answer) => {
                let what = answer.code().unwrap_or_else(|| String::from_utf8_lossy(&answer.body).into_owned());
                format!("{} {what}", answer.status.as_u16())
            }
            Err(fault) => fault.clone(),
        };
        say!("not as expected: {}, {}: expected {expected}, was {actual}", row.scene, row.scheme);
    }
}

pub(super) fn costs(costs: &[Cost]) {
    say!("{:<23} {:<17} {:>10} {:>10}", "median cost in µs", "algorithm", "sign", "verify");
    for Cost { scheme, algorithm, sign, verify } in costs {
        say!("{:<23} {:<17} {sign:>10.0} {verify:>10.0}", scheme.as_str(), algorithm.as_str());
    }
}

/// Commands that work as they stand, and again later: the time stamp is the shell's.
pub(super) fn to_try(cast: &Cast, dir: &Path, config: &Path) {
    let (gateway, sender, dir, config) = (cast.gateway, cast.sender_api, dir.display(), config.display());
    let (id, json) = (format!("{PARTNER}-ed25519"), "-H 'Content-Type: application/json'");
    say!("Still serving until Ctrl-C. Try:");
    say!("");
    say!("cd {dir}   # keys, registry, gateway.log");
    say!("M='{{\"message_id\": \"try-'$RANDOM'\", \"sender\": \"me\", \"content\": \"Hello\",");
    say!(" \"priority\": \"low\", \"timestamp\": \"'$(date -u +%FT%TZ)'\"}}'");
    say!("# passes once, since the Sender API signs it; the second time it is a replay");
    say!("curl -s http://{sender}/send/message1 {json} -d \"$M\"");
    say!("# refused: nobody signed it");
    say!("curl -s http://{gateway}/message1 {json} -d \"$M\"");
    say!("# passes: signed by hand; says what the Receiver API has got");
    say!("printf 'GET /messages HTTP/1.1\\nHost: {gateway}\\nConnection: close\\n\\n' |");
    say!("  countersign sign --key {id}.key --id {id} | nc {} {}", gateway.ip(), gateway.port());
    say!("# and no more, a second later");
    say!("countersign key revoke {id} --reason 'just trying' --config {config}");
}
