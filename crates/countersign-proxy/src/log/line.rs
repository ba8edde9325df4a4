use std::cell::Cell;
use std::net::IpAddr;

use countersign::Timestamp;

use crate::headers;

/// One JSON object on one line. Written for every request: text, not a tree of values, and no formatter, into room that its thread
/// keeps for the next one.
pub(super) struct Line(Vec<u8>);

/// The name of a member, with all that stands around it.
macro_rules! member {
    ($name:literal) => {
        concat!(",\"", $name, "\":")
    };
}
pub(super) use member;

impl Line {
    /// Begins with the time, RFC 3339 in UTC with milliseconds.
    pub(super) fn new(time: Timestamp) -> Self {
        let mut line = Self(ROOM.take());
        line.0.clear();
        line.push("{\"time\":\"");
        push_time(&mut line.0, time);
        line.push("\"");
        line
    }

    /// `name` here and below is a [`member!`].
    pub(super) fn text(&mut self, name: &str, value: Option<&str>) {
        self.push(name);
        match value {
            Some(value) => quote(&mut self.0, value),
            None => self.push("null"),
        }
    }

    /// A text of ours, in which nothing is to be escaped.
    pub(super) fn word(&mut self, name: &str, value: &str) {
        self.push(name);
        self.push("\"");
        self.push(value);
        self.push("\"");
    }

    pub(super) fn address(&mut self, name: &str, value: IpAddr) {
        self.push(name);
        self.push("\"");
        headers::push_address(&mut self.0, value);
        self.push("\"");
    }

    pub(super) fn number(&mut self, name: &str, value: Option<u64>) {
        self.push(name);
        match value {
            Some(value) => push_number(&mut self.0, value, 1),
            None => self.push("null"),
        }
    }

    /// A number of thousandths, as a decimal fraction.
    pub(super) fn thousandths(&mut self, name: &str, value: u64) {
        self.push(name);
        push_number(&mut self.0, value / 1000, 1);
        self.push(".");
        push_number(&mut self.0, value % 1000, 3);
    }

    pub(super) fn truth(&mut self, name: &str) {
        self.push(name);
        self.push("true");
    }

    /// All of it.
    pub(super) fn end(&mut self) -> &[u8] {
        self.push("}\n");
        &self.0
    }

    /// As it is.
    pub(super) fn push(&mut self, text: &str) {
        self.0.extend_from_slice(text.as_bytes());
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        if self.0.capacity() <= KEPT {
            // A thread that ends has no use for it.
            let _ = ROOM.try_with(|room| room.set(std::mem::take(&mut self.0)));
        }
    }
}

thread_local! {
    static ROOM: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
    /// The second that was written last, and how.
    static SECOND: Cell<(i64, [u8; 24])> = const { Cell::new((i64::MIN, [0; 24])) };
}

/// A JSON string in which nothing can start a new line, move a cursor, or turn the reading direction.
fn quote(text: &mut Vec<u8>, value: &str) {
    text.push(b'"');
    // Nearly every value is plain, and is copied as it is. Looks at all of its bytes, and so at many at once.
    let is_plain = |byte: u8| matches!(byte, b' '..=b'~') && byte != b'"' && byte != b'\\';
    if value.len() <= MAX_TEXT && value.bytes().fold(true, |all, byte| all & is_plain(byte)) {
        text.extend_from_slice(value.as_bytes());
    } else {
        for c in value.chars().take(MAX_TEXT) {
            match c {
                '"' => text.extend_from_slice(b"\\\""),
                '\\' => text.extend_from_slice(b"\\\\"),
                '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}' => escape(text, c),
                c if c.is_control() => escape(text, c),
                c => text.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
            }
        }
    }
    text.push(b'"');
}

/// All that is escaped so lies below U+10000.
fn escape(text: &mut Vec<u8>, c: char) {
    text.extend_from_slice(b"\\u");
    for shift in [12, 8, 4, 0] {
        text.push(b"0123456789abcdef"[(u32::from(c) >> shift & 15) as usize]);
    }
}

/// At least `width` digits.
fn push_number(text: &mut Vec<u8>, number: u64, width: usize) {
    let (mut digits, mut at, mut rest) = ([b'0'; 20], 20, number);
    while rest > 0 || at + width > 20 {
        at -= 1;
        digits[at] = b'0' + (rest % 10) as u8;
        rest /= 10;
    }
    text.extend_from_slice(&digits[at..]);
}

/// As `Timestamp` prints itself, which takes ten times as long. All but the milliseconds is the same for a second.
fn push_time(text: &mut Vec<u8>, time: Timestamp) {
    let (seconds, millis) = (time.as_secs(), time.as_millis().rem_euclid(1000).unsigned_abs());
    let (mut second, mut written) = SECOND.get();
    if second != seconds {
        let Some(anew) = second_of(seconds) else {
            text.extend_from_slice(time.to_string().as_bytes());
            return;
        };
        (second, written) = (seconds, anew);
        SECOND.set((second, written));
    }
    for (place, unit) in written[20..23].iter_mut().zip([100, 10, 1]) {
        *place = b'0' + (millis / unit % 10) as u8;
    }
    text.extend_from_slice(&written);
}

/// `2023-11-14T22:13:20.000Z`.
fn second_of(seconds: i64) -> Option<[u8; 24]> {
    let (year, month, day) = date(seconds.div_euclid(DAY))?;
    let second = seconds.rem_euclid(DAY).unsigned_abs();
    let mut written = *b"0000-00-00T00:00:00.000Z";
    for (at, digits, mut number) in [
        (0, 4, year),
        (5, 2, month),
        (8, 2, day),
        (11, 2, second / 3600),
        (14, 2, second / 60 % 60),
        (17, 2, second % 60),
    ] {
        for place in written[at..at + digits].iter_mut().rev() {
            *place = b'0' + (number % 10) as u8;
            number /= 10;
        }
    }
    Some(written)
}

/// The date of a day since 1970-01-01 in the proleptic Gregorian calendar, from 1970 to [`LAST`].
///
/// Years are counted from 1 March of the year 0, so that the day that is sometimes there is their last, and in spans of
/// 400 years, after which the calendar repeats itself.
pub(crate) fn date(day: i64) -> Option<(u64, u64, u64)> {
    let day = u64::try_from(day).ok().filter(|day| *day < LAST)? + 719_468;
    let of_span = day % 146_097;
    let year_of_span = (of_span - of_span / 1460 + of_span / 36_524 - of_span / 146_096) / 365;
    let of_year = of_span - (365 * year_of_span + year_of_span / 4 - year_of_span / 100);
    // Months from March on have 31, 30, 31, 30, 31 days, over and over: 153 in five.
    let month_of_year = (5 * of_year + 2) / 153;
    let day_of_month = of_year - (153 * month_of_year + 2) / 5 + 1;
    let month = if month_of_year < 10 { month_of_year + 3 } else { month_of_year - 9 };
    let year = year_of_span + day / 146_097 * 400 + u64::from(month <= 2);
    Some((year, month, day_of_month))
}

const DAY: i64 = 24 * 60 * 60;
/// 30 December 9999, in days since 1970: in the middle of it ends what a `Timestamp` prints as a date.
const LAST: u64 = 2_932_895;
/// More room than this is not kept.
const KEPT: usize = 64 << 10;
const MAX_TEXT: usize = 512;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hostile_value_stays_inside_its_string() {
        let mut text = Vec::new();
        quote(&mut text, "a\"b\\c\nd\u{1b}[31m\u{85}\u{202e}é");
        assert_eq!(String::from_utf8(text).unwrap(), "\"a\\\"b\\\\c\\u000ad\\u001b[31m\\u0085\\u202eé\"");
        for long in ["x".repeat(10_000), "é".repeat(10_000)] {
            let mut text = Vec::new();
            quote(&mut text, &long);
            assert_eq!(String::from_utf8(text).unwrap().chars().count(), MAX_TEXT + 2);
        }
    }

    #[test]
    fn a_time_is_written_as_it_prints_itself() {
        let days = (0..9000)
            .map(|days| days * 321)
            .chain([0, 58, 59, 60, 789, 11_015, 11_016, 2_932_894, 2_932_895, 2_932_896]);
        for day in days {
            for millis in [0, 1, 86_399_999] {
                let time = Timestamp::from_millis(day * 86_400_000 + millis);
                let mut text = Vec::new();
                push_time(&mut text, time);
                assert_eq!(String::from_utf8(text).unwrap(), time.to_string());
            }
        }
        for time in [Timestamp::from_millis(-1), Timestamp::from_millis(i64::MAX), Timestamp::from_millis(i64::MIN)] {
            let mut text = Vec::new();
            push_time(&mut text, time);
            assert_eq!(String::from_utf8(text).unwrap(), time.to_string());
        }
    }

    #[test]
    fn nothing_of_a_line_stands_in_the_next_one() {
        for (text, expected) in [(Some("a long one"), "\"a long one\""), (Some("b"), "\"b\""), (None, "null")] {
            let mut line = Line::new(Timestamp::from_millis(0));
            line.text(member!("x"), text);
            let expected = format!("{{\"time\":\"1970-01-01T00:00:00.000Z\",\"x\":{expected}}}\n");
            assert_eq!(std::str::from_utf8(line.end()).unwrap(), expected);
        }
    }

    #[test]
    fn numbers_have_all_their_digits() {
        let mut line = Line::new(Timestamp::from_millis(0));
        line.number(member!("a"), Some(0));
        line.number(member!("b"), Some(u64::MAX));
        line.thousandths(member!("c"), 12_034);
        line.thousandths(member!("d"), 7);
        line.truth(member!("e"));
        line.number(member!("f"), None);
        let expected = ",\"a\":0,\"b\":18446744073709551615,\"c\":12.034,\"d\":0.007,\"e\":true,\"f\":null}\n";
        assert_eq!(
            std::str::from_utf8(line.end()).unwrap(),
            format!("{{\"time\":\"1970-01-01T00:00:00.000Z\"{expected}")
        );
    }
}
