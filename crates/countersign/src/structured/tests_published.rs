//! The cases of httpwg/structured-field-tests, for the parser that we use and for our own reading of a dictionary; where
//! they are not at hand, a few of our own.

use serde_json::Value;
use sfv::{BareItem, Dictionary, FieldType, InnerList, Item, Key, List, ListEntry, Parameters, Parser};

use super::dictionary;
use crate::published::published;

const FILES: [&str; 18] = [
    "binary",
    "boolean",
    "date",
    "dictionary",
    "display-string",
    "examples",
    "item",
    "key-generated",
    "large-generated",
    "list",
    "listlist",
    "number",
    "number-generated",
    "param-dict",
    "param-list",
    "param-listlist",
    "string",
    "string-generated",
];
const MORE_FILES: [&str; 2] = ["token", "token-generated"];
const TO_SERIALISE: [&str; 4] = ["key-generated", "number", "string-generated", "token-generated"];

fn cases(folder: &str, files: &[&str]) -> Option<Vec<Value>> {
    let mut all = Vec::new();
    for file in files {
        let text = published(&format!("structured-field-tests/{folder}{file}.json"))?;
        let Ok(Value::Array(cases)) = serde_json::from_str(&text) else { panic!("{file}") };
        all.extend(cases);
    }
    Some(all)
}

/// A value as the cases write it, in the parser's types; `None` where there is no such value.
trait Expected: Sized {
    fn expected(json: &Value) -> Option<Self>;
}

impl Expected for BareItem {
    fn expected(json: &Value) -> Option<Self> {
        Some(match json {
            Value::Bool(is) => BareItem::Boolean(*is),
            Value::String(text) => BareItem::String(sfv::String::from_string(text.clone()).ok()?),
            Value::Number(number) => match number.as_i64() {
                Some(integer) => BareItem::Integer(integer.try_into().ok()?),
                None => BareItem::Decimal(number.as_f64()?.try_into().ok()?),
            },
            _ => {
                let text = || json["value"].as_str().map(str::to_owned);
                match json["__type"].as_str()? {
                    "token" => BareItem::Token(sfv::Token::from_string(text()?).ok()?),
                    "binary" => BareItem::ByteSequence(base32(&text()?)),
                    "date" => BareItem::Date(sfv::Date::from_unix_seconds(json["value"].as_i64()?.try_into().ok()?)),
                    "displaystring" => BareItem::DisplayString(text()?),
                    other => panic!("{other}"),
                }
            }
        })
    }
}

impl Expected for Parameters {
    fn expected(json: &Value) -> Option<Self> {
        let pair = |pair: &Value| Some((key(&pair[0])?, BareItem::expected(&pair[1])?));
        json.as_array()?.iter().map(pair).collect()
    }
}

impl Expected for Item {
    fn expected(json: &Value) -> Option<Self> {
        Some(Item::with_params(BareItem::expected(&json[0])?, Parameters::expected(&json[1])?))
    }
}

impl Expected for ListEntry {
    fn expected(json: &Value) -> Option<Self> {
        let Value::Array(items) = &json[0] else { return Item::expected(json).map(ListEntry::Item) };
        let items = items.iter().map(Item::expected).collect::<Option<_>>()?;
        Some(ListEntry::InnerList(InnerList::with_params(items, Parameters::expected(&json[1])?)))
    }
}

impl Expected for List {
    fn expected(json: &Value) -> Option<Self> {
        json.as_array()?.iter().map(ListEntry::expected).collect()
    }
}

impl Expected for Dictionary {
    fn expected(json: &Value) -> Option<Self> {
        let member = |member: &Value| Some((key(&member[0])?, ListEntry::expected(&member[1])?));
        json.as_array()?.iter().map(member).collect()
    }
}

fn key(json: &Value) -> Option<Key> {
    Key::from_string(json.as_str()?.to_owned()).ok()
}

/// RFC 4648 §6.
fn base32(text: &str) -> Vec<u8> {
    let digits = text.bytes().filter(|byte| *byte != b'=');
    let mut bytes = Vec::new();
    let (mut held, mut bits) = (0u32, 0);
    for digit in digits {
        held = held << 5 | u32::from(if digit < b'A' { digit - b'2' + 26 } else { digit - b'A' });
        bits += 5;
        if bits >= 8 {
            bits -= 8;
            bytes.push(u8::try_from(held >> bits & 0xff).unwrap());
        }
    }
    bytes
}

/// How a text serialises; `None` where it has no form.
trait Serialised {
    fn serialised(&self) -> Option<String>;
}

impl Serialised for Item {
    fn serialised(&self) -> Option<String> {
        Some(self.serialize())
    }
}

impl Serialised for List {
    fn serialised(&self) -> Option<String> {
        Some(self.serialize().unwrap_or_default())
    }
}

impl Serialised for Dictionary {
    fn serialised(&self) -> Option<String> {
        Some(self.serialize().unwrap_or_default())
    }
}

fn joined(lines: &Value) -> String {
    lines.as_array().map_or_else(String::new, |lines| {
        lines.iter().map(|line| line.as_str().unwrap()).collect::<Vec<_>>().join(", ")
    })
}

/// Whether the parser had to accept the case. What it accepts is the expected value, and serialises in the one strict form.
fn parses<T: FieldType + Expected + Serialised + PartialEq + std::fmt::Debug>(case: &Value) -> bool
where
    for<'a> Parser<'a>: Parse<T>,
{
    let raw = joined(&case["raw"]);
    let parsed = Parse::<T>::parse_whole(Parser::new(&raw));
    if case["must_fail"] == true {
        assert!(parsed.is_none(), "{case}");
        return false;
    }
    let Some(parsed) = parsed else {
        assert!(case["can_fail"] == true, "{case}");
        return true;
    };
    assert_eq!(Some(&parsed), T::expected(&case["expected"]).as_ref(), "{case}");
    let canonical = if case["canonical"].is_null() { raw } else { joined(&case["canonical"]) };
    assert_eq!(parsed.serialised(), Some(canonical), "{case}");
    true
}

trait Parse<T> {
    fn parse_whole(self) -> Option<T>;
}

macro_rules! parse {
    ($($type:ty),*) => {
        $(impl Parse<$type> for Parser<'_> {
            fn parse_whole(self) -> Option<$type> {
                self.parse().ok()
            }
        })*
    };
}

parse!(Item, List, Dictionary);

#[test]
fn the_parser_takes_what_is_a_structured_field_and_nothing_else() {
    let Some(cases) = cases("", &[&FILES[..], &MORE_FILES].concat()) else { return our_own() };
    let accepted = cases.iter().filter(|case| match case["header_type"].as_str() {
        Some("item") => parses::<Item>(case),
        Some("list") => parses::<List>(case),
        Some("dictionary") => parses::<Dictionary>(case),
        other => panic!("{other:?}"),
    });
    assert_eq!((accepted.count(), cases.len()), (1591 - 864, 1591));
}

#[test]
fn what_has_no_form_is_not_serialised() {
    let Some(cases) = cases("serialisation-tests/", &TO_SERIALISE) else { return our_own() };
    let mut written = 0;
    for case in &cases {
        let text = match case["header_type"].as_str() {
            Some("item") => Item::expected(&case["expected"]).and_then(|it| it.serialised()),
            Some("list") => List::expected(&case["expected"]).and_then(|it| it.serialised()),
            Some("dictionary") => Dictionary::expected(&case["expected"]).and_then(|it| it.serialised()),
            other => panic!("{other:?}"),
        };
        let must = (case["must_fail"] != true).then(|| joined(&case["canonical"]));
        written += usize::from(must.is_some());
        assert_eq!(text, must, "{case}");
    }
    assert_eq!((written, cases.len()), (5, 544));
}

#[test]
fn our_reading_of_a_dictionary_is_the_parsers_but_that_no_name_stands_twice() {
    let Some(cases) = cases("", &[&FILES[..], &MORE_FILES].concat()) else { return our_own() };
    let dictionaries = cases.iter().filter(|case| case["header_type"] == "dictionary");
    let (mut read, mut twice, mut failed) = (0, 0, 0);
    for case in dictionaries {
        let raw = joined(&case["raw"]);
        let ours = dictionary(&raw, "a field", 2048);
        if case["must_fail"] == true {
            assert!(ours.is_err(), "{case}");
            failed += 1;
            continue;
        }
        let parsed: Dictionary = Parser::new(&raw).parse().unwrap();
        let Ok(members) = ours else {
            // RFC 9651 takes the last of two; another reader the first.
            assert!(parsed.len() < raw.split(',').count(), "{case}");
            twice += 1;
            continue;
        };
        read += 1;
        assert_eq!(members.len(), parsed.len(), "{case}");
        for (member, (name, value)) in members.iter().zip(&parsed) {
            assert_eq!(member.name, name.as_str());
            // The bytes under the name, read alone, are the same value.
            let assigned = if member.raw.is_empty() || member.raw.starts_with(';') { "" } else { "=" };
            let again: Dictionary = Parser::new(&format!("{name}{assigned}{}", member.raw)).parse().unwrap();
            assert_eq!(again.get(name.as_str()), Some(value), "{case}");
        }
    }
    assert_eq!((read, twice, failed), (131, 2, 299));
}

/// Where their cases are not at hand.
fn our_own() {
    for (raw, good) in [
        ("a=1, b;x=2, c=(1 \"x\";q);p=:AA==:", true),
        ("a=?1,b=1.5,\tc=tok/en:1", true),
        ("a=1.1234", false),
        ("a=1234567890123456", false),
        ("a=\"\u{7f}\"", false),
        ("a=(1,2)", false),
        ("a=1;B=2", false),
        ("a=:A=A:", false),
        ("a=1,", false),
    ] {
        let parsed: Option<Dictionary> = Parser::new(raw).parse().ok();
        assert_eq!(parsed.is_some(), good, "{raw}");
        let ours = dictionary(raw, "a field", 8);
        assert_eq!(ours.map(|members| members.len()).ok(), parsed.map(|members| members.len()), "{raw}");
    }
}

#[test]
fn our_own_cases() {
    our_own();
}
