//! The Receiver API: an API as people write them, which knows nothing of signatures.

use std::sync::{Arc, Mutex, PoisonError};

use http::{Method, StatusCode};
use serde_json::{Value, json};

use super::http::{Answer, Letter};
use super::upload::{self, Part};

/// What came in, in memory.
#[derive(Default)]
pub(super) struct Receiver {
    messages: Mutex<Vec<Value>>,
}

pub(super) async fn handle(receiver: Arc<Receiver>, letter: Letter) -> Answer {
    match (&letter.method, letter.target.as_str()) {
        (&Method::POST, "/message1") => receiver.take(&letter, message1),
        (&Method::POST, "/message2") => receiver.take(&letter, message2),
        (&Method::POST, "/site/message1" | "/app/message1") => receiver.take(&letter, message1),
        (&Method::POST, "/file") => receiver.take_file(&letter),
        (&Method::POST, "/orders" | "/orders/unbound") => order(&letter),
        (&Method::GET, "/messages") => {
            let messages = receiver.messages.lock().unwrap_or_else(PoisonError::into_inner);
            Answer::json(StatusCode::OK, &json!({ "messages": *messages }))
        }
        (&Method::GET, "/auth/me") => {
            // Whom the gateway found the token to speak of.
            let user = letter.headers.get("countersign-user").and_then(|value| value.to_str().ok());
            Answer::json(StatusCode::OK, &json!({ "user": user }))
        }
        (&Method::GET, "/health") => Answer::json(StatusCode::OK, &json!({ "status": "ok" })),
        _ => Answer::json(StatusCode::NOT_FOUND, &json!({ "detail": "no such resource" })),
    }
}

impl Receiver {
    fn take(&self, letter: &Letter, form: fn(&Value) -> Option<&'static str>) -> Answer {
        let unprocessable = |detail: &str| Answer::json(StatusCode::UNPROCESSABLE_ENTITY, &json!({ "detail": detail }));
        let Ok(message) = serde_json::from_slice::<Value>(&letter.body) else {
            return unprocessable("the body is not JSON");
        };
        if let Some(wrong) = form(&message) {
            return unprocessable(wrong);
        }
        self.keep(letter, &message)
    }

    fn take_file(&self, letter: &Letter) -> Answer {
        match upload::parts(letter).ok_or("the body is not a form").and_then(|parts| file(&parts)) {
            Ok(message) => self.keep(letter, &message),
            Err(wrong) => Answer::json(StatusCode::UNPROCESSABLE_ENTITY, &json!({ "detail": wrong })),
        }
    }

    fn keep(&self, letter: &Letter, message: &Value) -> Answer {
        // What the gateway says of the caller; nobody else can have written it.
        let partner = letter.headers.get("countersign-partner").and_then(|value| value.to_str().ok());
        let answer = json!({ "status": "received", "message_id": message["message_id"], "partner": partner });
        let mut messages = self.messages.lock().unwrap_or_else(PoisonError::into_inner);
        messages.push(json!({ "partner": partner, "message": message }));
        Answer::json(StatusCode::OK, &answer)
    }
}

/// What is wrong with a Message1, if anything.
fn message1(message: &Value) -> Option<&'static str> {
    let content = message["content"].is_string();
    let priority = matches!(message["priority"].as_str(), Some("low" | "normal" | "high"));
    head(message)
        .or((!content).then_some("content is not a string"))
        .or((!priority).then_some("priority is not low, normal or high"))
}

/// What is wrong with a Message2, if anything.
fn message2(message: &Value) -> Option<&'static str> {
    let tags = message["tags"].as_array().is_some_and(|tags| tags.iter().all(Value::is_string));
    head(message)
        .or((!message["metadata"].is_object()).then_some("metadata is not an object"))
        .or((!message["payload"].is_object()).then_some("payload is not an object"))
        .or((!message["attachments"].is_array()).then_some("attachments is not an array"))
        .or((!tags).then_some("tags is not an array of strings"))
}

/// Reads the card number, and neither keeps nor tells more of it than its last digits.
fn order(letter: &Letter) -> Answer {
    let order: Value = serde_json::from_slice(&letter.body).unwrap_or_default();
    let number = order["card"]["number"].as_str().filter(|number| is_card(number));
    match number.and_then(|number| number.get(number.len() - 4..)) {
        Some(last) => Answer::json(StatusCode::OK, &json!({ "status": "received", "card": last })),
        None => Answer::json(StatusCode::UNPROCESSABLE_ENTITY, &json!({ "detail": "that is no card number" })),
    }
}

/// 12 to 19 digits that Luhn's check holds for (ISO/IEC 7812-1, annex B).
fn is_card(number: &str) -> bool {
    let digits: Option<Vec<u32>> = number.chars().map(|digit| digit.to_digit(10)).collect();
    let digits = digits.filter(|digits| (12..=19).contains(&digits.len())).unwrap_or_else(|| vec![1]);
    let doubled = |(at, digit): (usize, &u32)| if at % 2 == 1 { digit / 5 + digit * 2 % 10 } else { *digit };
    digits.iter().rev().enumerate().map(doubled).sum::<u32>() % 10 == 0
}

/// A File as it is kept, or what is wrong with it.
fn file(parts: &[Part]) -> Result<Value, &'static str> {
    let text = |name: &str| {
        let part = parts.iter().find(|part| part.name == name)?;
        Some(String::from_utf8_lossy(&part.content).into_owned())
    };
    if parts.iter().enumerate().any(|(at, part)| parts[..at].iter().any(|other| other.name == part.name)) {
        return Err("two parts have the same name");
    }
    let file = parts.iter().find(|part| part.name == "file").ok_or("there is no part file")?;
    if file.file_name.is_none() {
        return Err("the part file has no file name");
    }
    let message = json!({
        "message_id": text("message_id"), "timestamp": text("timestamp"), "sender": text("sender"),
        "description": text("description"), "filename": file.file_name, "size": file.content.len(),
    });
    head(&message).map_or(Ok(message), Err)
}

fn head(message: &Value) -> Option<&'static str> {
    let timestamp = message["timestamp"].as_str().is_some_and(|text| text.parse::<jiff::Timestamp>().is_ok());
    (!message["message_id"].is_string())
        .then_some("message_id is not a string")
        .or((!message["sender"].is_string()).then_some("sender is not a string"))
        .or((!timestamp).then_some("timestamp is not RFC 3339"))
}

#[cfg(test)]
mod tests {
    use super::super::upload::Part;
    use super::*;

    #[test]
    fn the_form_of_a_file() {
        let part = |name: &str, content: &str, file_name: Option<&str>| Part {
            name: name.to_owned(),
            file_name: file_name.map(str::to_owned),
            content: content.to_owned().into(),
        };
        let good = || {
            vec![
                part("message_id", "1", None),
                part("timestamp", "2026-11-23T10:00:00Z", None),
                part("sender", "a", None),
                part("file", "abc", Some("a.txt")),
            ]
        };
        assert_eq!(file(&good()).unwrap()["size"], 3);
        for left_out in 0..4 {
            let mut parts = good();
            parts.remove(left_out);
            assert!(file(&parts).is_err(), "{left_out}");
        }
        let described = [good(), vec![part("description", "of it", None)]].concat();
        assert_eq!(file(&described).unwrap()["description"], "of it");
        assert!(file(&[good(), good()].concat()).is_err());
        let mut text = good();
        text[3].file_name = None;
        assert!(file(&text).is_err());
    }

    #[test]
    fn a_card_number_has_its_check_digit() {
        for number in ["4111111111111111", "5555555555554444", "378282246310005"] {
            assert!(is_card(number), "{number}");
        }
        for number in
            ["4111111111111112", "41111111111111111", "0", "", "eyJhbGciOiJSU0EtT0FFUC0yNTYifQ", "4111 1111 1111 1111"]
        {
            assert!(!is_card(number), "{number}");
        }
    }

    #[test]
    fn the_forms_of_the_messages() {
        let one = json!({ "message_id": "1", "sender": "a", "content": "b", "priority": "low",
            "timestamp": "2026-11-23T10:00:00Z" });
        let two = json!({ "message_id": "1", "sender": "a", "timestamp": "2026-11-23T10:00:00+01:00", "metadata": {},
            "payload": {}, "attachments": [], "tags": ["a"] });
        assert_eq!((message1(&one), message2(&two)), (None, None));
        let without = |message: &Value, name: &str| {
            let mut message = message.clone();
            message[name] = json!(1);
            message
        };
        for name in ["message_id", "sender", "content", "priority", "timestamp"] {
            assert!(message1(&without(&one, name)).is_some(), "{name}");
        }
        for name in ["message_id", "sender", "timestamp", "metadata", "payload", "attachments", "tags"] {
            assert!(message2(&without(&two, name)).is_some(), "{name}");
        }
    }
}
