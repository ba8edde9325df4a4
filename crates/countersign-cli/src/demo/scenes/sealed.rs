//! A card number that the API alone reads: not who is on the way, not who reads the logs, and nobody for whom it was not sealed.

use std::path::Path;
use std::time::{Duration, Instant};

use countersign::{Code, Form, Scheme};
use serde_json::{Value, json};

use super::super::foreign;
use super::{Cast, Expected, Letter, Row, at, id, row, sign};
use crate::demo::sender::KEY_ID;
use crate::exit::Failure;
use crate::moment;

const SCHEME: Scheme = Scheme::HttpMessageSignatures;
const CARD: &str = "4111111111111111";
/// Of somebody who seals in a way of his own.
const OTHER_CARD: &str = "5555555555554444";

impl Cast {
    /// Sealed by a sidecar, looked for wherever it went by, and carried elsewhere.
    pub(super) async fn sealed(&self) -> Result<Vec<Row>, Failure> {
        let plain = Letter::post_json("/orders", order(&json!({ "number": CARD })).to_string());
        let mut rows = at(self.sealing, SCHEME, [("sealed card", Expected::Passed, plain)]).await;
        let wire = self.tap.seen();
        for row in &mut rows {
            row.besides = self.elsewhere(&wire).await.or_else(|| not_read(row, CARD));
            let looked_at = wire.len();
            row.note = Some(format!("not in {looked_at} bytes on the wire, nor in two logs; the API read it"));
        }
        // Where it was not sealed the rows below say so: nothing of this is refused for what it should be.
        let sealed = sealed_on(&wire).unwrap_or_default();
        let foreign = foreign::sealed(&format!("\"{OTHER_CARD}\""), &self.seal_key.0, &self.seal_key.1)?;
        let partners = async |target: &str, card: Value| {
            self.partners(Letter::post_json(target, order(&card).to_string()), moment::now()).await
        };
        let malformed = Expected::Refused(Code::Malformed);
        let by_another = {
            let letter = Letter::post_json("/orders", order(&json!({ "number": sealed })).to_string());
            sign(letter, self.gateway, self.sender.key(), Form::new(Scheme::Pki, KEY_ID), moment::now()).await?
        };
        for (scene, scheme, letter, field) in [
            ("card, other field", SCHEME, partners("/orders", json!({ "code": sealed })).await?, "/card/code"),
            ("card, by another", Scheme::Pki, by_another, "/card/number"),
            ("card, foreign", SCHEME, partners("/orders", json!({ "number": foreign })).await?, "/card/number"),
        ] {
            let mut row = row(scene.to_owned(), scheme, malformed, self.gateway, letter).await;
            row.besides = not_named(&row, field);
            rows.push(row);
        }
        // The same is read where the route says so: it was sealed well, and is refused for what it does not say.
        let letter = partners("/orders/unbound", json!({ "number": foreign })).await?;
        let mut unbound = row("foreign, unbound".to_owned(), SCHEME, Expected::Passed, self.gateway, letter).await;
        unbound.besides = not_read(&unbound, OTHER_CARD);
        rows.push(unbound);
        Ok(rows)
    }

    /// Where the card number is to be seen, if anywhere; or what there is to be looked at, and is not there.
    async fn elsewhere(&self, wire: &[u8]) -> Option<String> {
        if sealed_on(wire).is_none_or(|sealed| sealed.split('.').count() != 5) {
            return Some("no sealed card number went over the wire".to_owned());
        }
        if contains(wire, CARD) {
            return Some("the card number went over the wire in the clear".to_owned());
        }
        for (log, line) in [(&self.logs[0], "\"route\":\"/orders\""), (&self.logs[1], "\"code\":\"signed\"")] {
            match written(log, line).await {
                None => return Some(format!("{} has no line of the request", log.display())),
                Some(text) if contains(&text, CARD) => return Some(format!("{} has the card number", log.display())),
                Some(_) => {}
            }
        }
        None
    }
}

fn order(card: &Value) -> Value {
    json!({ "message_id": id(), "timestamp": moment::now().to_string(), "amount": 12.5, "card": card })
}

/// The card number as it went over the wire, in the first body there.
fn sealed_on(wire: &[u8]) -> Option<String> {
    let body = wire.windows(4).position(|at| at == b"\r\n\r\n")? + 4;
    let mut values = serde_json::Deserializer::from_slice(&wire[body..]).into_iter::<Value>();
    Some(values.next()?.ok()?["card"]["number"].as_str()?.to_owned())
}

/// What a log says, once it has this line: it is written behind the answer.
async fn written(log: &Path, line: &str) -> Option<Vec<u8>> {
    let end = Instant::now() + Duration::from_secs(5);
    loop {
        let text = std::fs::read(log).unwrap_or_default();
        if contains(&text, line) {
            return Some(text);
        }
        if Instant::now() > end {
            return None;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// The API tells the last digits of what it read.
fn not_read(row: &Row, card: &str) -> Option<String> {
    let told = row.answer.as_ref().ok().and_then(|answer| answer.told("card"));
    (told.as_deref() != card.get(12..)).then(|| "the API did not read the card number".to_owned())
}

fn not_named(row: &Row, field: &str) -> Option<String> {
    let told = row.answer.as_ref().ok().and_then(|answer| answer.told("detail"));
    (told != Some(format!("{field} can't be opened"))).then(|| format!("{field} is not named"))
}

fn contains(text: &[u8], what: &str) -> bool {
    text.windows(what.len()).any(|at| at == what.as_bytes())
}
