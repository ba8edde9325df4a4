//! What a server answers, as what we asked for.

use std::time::Duration;

use countersign::{Timestamp, Unavailable};
use redis::{RedisError, Value};

use super::NAME;
use super::settle::Found;

/// What an operator is told, in a log and in `/readyz`: never the URL.
pub(super) fn told(error: &RedisError) -> String {
    if error.is_timeout() {
        return format!("no answer within {} ms", ANSWER.as_millis());
    }
    let mut text = error.to_string();
    text.truncate(text.char_indices().nth(200).map_or(text.len(), |(at, _)| at));
    text
}

pub(super) fn unavailable(why: impl std::fmt::Display) -> Unavailable {
    Unavailable::new(NAME, why).for_the_next(Duration::from_secs(1))
}

pub(super) fn text_of(value: Value) -> Option<String> {
    match value {
        Value::BulkString(bytes) => String::from_utf8(bytes).ok(),
        Value::SimpleString(text) | Value::VerbatimString { text, .. } => Some(text),
        _ => None,
    }
}

pub(super) fn found_in(value: Value) -> Option<Found> {
    let mut fields = value.into_sequence().ok()?.into_iter();
    let Value::Int(now) = fields.next()? else { return None };
    let (token, mark, high) = (text_of(fields.next()?)?, text_of(fields.next()?)?, text_of(fields.next()?)?);
    let high = high.parse().ok().map(Timestamp::from_millis);
    Some(Found { now: Timestamp::from_millis(now), token, mark, high })
}

/// The letters of `spend.lua`, or its word for why there are none, and how far ahead each count is.
pub(super) fn spent(value: Value) -> Option<(String, Vec<i64>)> {
    let mut fields = value.into_sequence().ok()?.into_iter().skip(1);
    let letters = text_of(fields.next()?)?;
    let number = |value| if let Value::Int(number) = value { Some(number) } else { None };
    let ahead =
        fields.next().map_or(Some(Vec::new()), |ahead| ahead.into_sequence().ok()?.into_iter().map(number).collect());
    Some((letters, ahead?))
}

/// Longer than a store that is well ever takes, and short enough for a caller to wait.
pub(super) const ANSWER: Duration = Duration::from_millis(500);
