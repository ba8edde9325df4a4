//! The rules by name. What CPython really does is asked in `tests_python`.

use super::*;

fn refusal(input: impl AsRef<[u8]>) -> Option<&'static str> {
    Document::parse(input.as_ref()).err().map(|Malformed(why)| why)
}

fn printed(input: &str) -> String {
    let document = Document::parse(input.as_bytes()).unwrap_or_else(|Malformed(why)| panic!("{why}: {input}"));
    let mut out = Vec::new();
    document.print_python(&mut out);
    String::from_utf8(out).unwrap()
}

fn nested(open: &str, levels: usize, close: &str) -> String {
    format!("{}{}", open.repeat(levels), close.repeat(levels))
}

#[test]
fn a_repeated_member_is_refused() {
    assert_eq!(refusal(r#"{"a":1,"b":2,"a":1}"#), Some("an object has a member twice"));
    assert_eq!(refusal(r#"[{"x":{"":0,"":1}}]"#), Some("an object has a member twice"));
}

#[test]
fn a_repeated_member_is_refused_also_when_spelled_with_escapes() {
    for twice in [
        r#"{"amount":1,"\u0061mount":2}"#,
        r#"{"\u00E9":1,"é":2}"#,
        r#"{"\ud834\udd1e":1,"𝄞":2}"#,
        r#"{"a\/b":1,"a/b":2}"#,
        r#"{"\n":1,"\u000a":2}"#,
    ] {
        assert_eq!(refusal(twice), Some("an object has a member twice"), "{twice}");
    }
}

#[test]
fn the_same_name_in_two_objects_or_in_two_cases_or_normal_forms_is_fine() {
    for fine in [r#"{"a":{"a":[{"a":1},{"a":2}]}}"#, r#"{"a":1,"A":2}"#, "{\"\u{e9}\":1,\"e\u{301}\":2}"] {
        assert_eq!(refusal(fine), None, "{fine}");
    }
}

#[test]
fn numbers_that_are_not_finite_are_refused() {
    for word in ["NaN", "Infinity", "-Infinity", "[NaN]", r#"{"a":-Infinity}"#] {
        assert_eq!(refusal(word), Some("a number is not finite"), "{word}");
    }
    for number in ["1e400", "-1e400", "[1.8e308]", "1E999999999999999999999999"] {
        assert_eq!(refusal(number), Some("a number is beyond a double's range"), "{number}");
    }
}

#[test]
fn lone_surrogates_are_refused_in_values_and_in_names() {
    for lone in [r#""\ud834""#, r#""\udd1e""#, r#""\ud834 \udd1e""#, r#""\udd1e\ud834""#, r#"{"\uDbFf":1}"#] {
        assert_eq!(refusal(lone), Some("a string has a lone surrogate"), "{lone}");
    }
}

#[test]
fn a_text_that_is_not_utf8_is_refused() {
    let surrogates: &[u8] = b"\"\xed\xa0\xb4\xed\xb4\x9e\""; // which CPython reads
    for other in [b"\"\xff\"" as &[u8], b"\"\xc0\xaf\"", b"\"\xe9\"", surrogates, b"\xff\xfe1\0", b"1 \x80"] {
        assert_eq!(refusal(other), Some("the text is not UTF-8"), "{other:x?}");
    }
    assert!(refusal("1\0").is_some(), "UTF-16, which CPython reads as 1");
    assert_eq!(refusal("\u{feff}1"), Some("the text begins with a byte order mark"));
    assert!(refusal("1\u{feff}").is_some());
}

#[test]
fn the_128th_level_is_the_last() {
    for (open, close) in [("[", "]"), (r#"{"a":"#, "}"), (r#"[{"a":"#, "}]")] {
        let levels = 128 / open.chars().filter(|c| "[{".contains(*c)).count();
        let inner = if open == "[" { "" } else { "0" };
        let deepest = format!("{}{inner}{}", open.repeat(levels), close.repeat(levels));
        assert_eq!(refusal(&deepest), None, "{open}");
        assert_eq!(refusal(format!("[{deepest}]")), Some("more than 128 levels are nested"), "{open}");
    }
    assert_eq!(refusal(nested("[", 128, "]").replace("[]", "[[],1]")), Some("more than 128 levels are nested"));
    assert_eq!(refusal("[".repeat(100_000)), Some("more than 128 levels are nested"));
}

#[test]
fn levels_that_were_closed_do_not_count() {
    assert_eq!(refusal(format!("[{}[]]", "[[]],{\"a\":[]},".repeat(200))), None);
}

#[test]
fn what_stands_behind_the_value_is_refused() {
    for trailing in ["1 1", "{}{}", "[],", "null\0", "01", "-01", "1.5.5", "0x10", "\"\"a", "1//", "[]]"] {
        assert_eq!(refusal(trailing), Some("something stands behind the value"), "{trailing}");
    }
}

#[test]
fn controls_in_strings_are_refused_unless_escaped() {
    for control in 0..0x20u8 {
        let text = [b'"', b'a', control, b'"'];
        assert_eq!(refusal(text), Some("a string has a control character that is not escaped"), "{control:#x}");
        assert_eq!(refusal(format!("{{\"\\u{control:04x}\":1}}")), None);
    }
    assert_eq!(printed("\"\u{7f}\""), r#""\u007f""#);
}

#[test]
fn what_is_no_json_is_refused() {
    for wrong in [
        "",
        " ",
        "[",
        "{",
        "\"",
        "\"\\",
        "\"\\\"",
        "[1",
        "[1,",
        "{\"a\"",
        "{\"a\":",
        "{\"a\":1",
        "{\"a\":1,",
        "]",
        "}",
        ",",
        ":",
        "[1,]",
        "[,1]",
        "[1 2]",
        "[1}",
        "{\"a\":1]",
        "{\"a\":1,}",
        "{,}",
        "{\"a\",1}",
        "{1:1}",
        "{a:1}",
        "{'a':1}",
        "'a'",
        "nul",
        "nulL",
        "True",
        "tru",
        "falsy",
        "+1",
        "-",
        "--1",
        "-a",
        ".5",
        "1.",
        "1.e5",
        "1e",
        "1e+",
        "-.5",
        "1e5.5",
        "\"\\x41\"",
        "\"\\u12\"",
        "\"\\'\"",
        "\u{a0}1",
        "\x0c1",
        "\x0b1",
        "\u{2028}1",
        "/**/1",
        "#1",
        "undefined",
        "-NaN",
        "+Infinity",
        "Inf",
        "[\"a\":1]",
    ] {
        assert!(refusal(wrong).is_some(), "{wrong:?}");
    }
}

/// A refusal goes to a stranger, and a body must not come with it: the reasons are constants, and short.
#[test]
fn every_beginning_of_a_document_is_refused_with_a_short_reason() {
    let whole = r#"{"a": [1, -2.5e-3, "x\n\u00e9\ud834\udd1eé", {}, [], true, false, null], "b": {"c": ""}}"#;
    assert_eq!(refusal(whole), None);
    for end in 0..whole.len() {
        let why = refusal(&whole.as_bytes()[..end]).expect("the beginning of an object is no document");
        assert!(why.len() < 60, "{why}");
    }
}

#[test]
fn members_print_by_code_point_of_their_names() {
    assert_eq!(
        printed(r#"{"b":1,"a":2,"B":3,"":4,"aa":5,"a\u0000":6}"#),
        r#"{"": 4, "B": 3, "a": 2, "a\u0000": 6, "aa": 5, "b": 1}"#
    );
    // UTF-16 would put the astral one first.
    assert_eq!(printed(r#"{"𐀀":1,"\uffff":2,"é":3}"#), r#"{"\u00e9": 3, "\uffff": 2, "\ud800\udc00": 1}"#);
    assert_eq!(
        printed(r#"{"\u0062":{"z":[],"y":0},"a":[{"d":1,"c":2}]}"#),
        r#"{"a": [{"c": 2, "d": 1}], "b": {"y": 0, "z": []}}"#
    );
}

#[test]
fn white_space_does_not_print_and_separators_do() {
    assert_eq!(printed("\t\r\n [ ]\n"), "[]");
    assert_eq!(printed("{\n}"), "{}");
    assert_eq!(printed("[1 ,\n2,[ ] , { } ]"), "[1, 2, [], {}]");
    assert_eq!(printed("{\"a\"\t:\r1 , \"b\":[true,false,null]}"), r#"{"a": 1, "b": [true, false, null]}"#);
}

#[test]
fn integers_print_as_they_are_but_for_minus_zero() {
    let big = format!("-1{}", "0123456789".repeat(1_000_000));
    for integer in ["0", "1", "-1", "9007199254740993", "18446744073709551616", &big] {
        assert!(printed(integer) == integer);
    }
    assert_eq!(printed("-0"), "0");
    assert_eq!(printed("[1, 1.0, 1e0, -0, -0.0, 1E+5, 2e-7]"), "[1, 1.0, 1.0, 0, -0.0, 100000.0, 2e-07]");
    // Members that stand as they print, between others.
    assert_eq!(
        printed(
            r#"{"b": -0, "a": "\u0041\n", "é": 1, "c":10, "d" : 2, "e": 1.50, "f": {"h": [], "g": null}, "i": 1.5, "j": -1}"#
        ),
        r#"{"a": "A\n", "b": 0, "c": 10, "d": 2, "e": 1.5, "f": {"g": null, "h": []}, "i": 1.5, "j": -1, "\u00e9": 1}"#
    );
}

#[test]
fn strings_print_in_ascii_with_the_shortest_escapes_that_python_knows() {
    assert_eq!(printed(r#""\b\f\n\r\t\"\\\/\u002f\u0022\u005C\u0008""#), r#""\b\f\n\r\t\"\\//\"\\\b""#);
    assert_eq!(printed(r#""\u0000\u001F \u007E\u007f""#), r#""\u0000\u001f ~\u007f""#);
    assert_eq!(
        printed("\"\u{e9}\u{20ac}\u{ffff}\u{10000}\u{10ffff}\""),
        r#""\u00e9\u20ac\uffff\ud800\udc00\udbff\udfff""#
    );
    assert_eq!(printed(r#""\u00E9\uD834\uDD1E\u0041""#), r#""\u00e9\ud834\udd1eA""#);
}

#[test]
fn a_string_prints_alone_as_it_prints_in_a_document() {
    let says = "plain \"\\/\u{8}\u{c}\n\r\t\0\u{1f}\u{7f}\u{80}é€𝄞";
    let mut out = b"before".to_vec();
    print_python_str(says, &mut out);
    assert_eq!(
        std::str::from_utf8(&out[6..]).unwrap(),
        r#""plain \"\\/\b\f\n\r\t\u0000\u001f\u007f\u0080\u00e9\u20ac\ud834\udd1e""#
    );
    let document = Document::parse(&out[6..]).ok().unwrap();
    assert_eq!(document.root().as_str().unwrap(), says);
}

#[test]
fn values_are_found_by_the_name_that_is_said() {
    let text = r#"{"n": -12, "list": [1, {"x": [2]}, "é", []], "\u0061b": "\u0041\/é", "f": 1.0, "t": true, "z": null, "o": {}}"#;
    let document = Document::parse(text.as_bytes()).ok().unwrap();
    let root = document.root();
    assert_eq!((root.kind(), root.len(), root.span()), (Kind::Object, 7, 0..text.len()));
    let names: Vec<_> = root.members().map(|(name, _)| name).collect();
    assert_eq!(names, ["ab", "f", "list", "n", "o", "t", "z"]);
    let kinds: Vec<_> = root.members().map(|(_, value)| value.kind()).collect();
    assert_eq!(
        kinds,
        [Kind::String, Kind::Float, Kind::Array, Kind::Integer, Kind::Object, Kind::Bool(true), Kind::Null]
    );

    let said = root.member("ab").unwrap();
    assert_eq!((said.as_str().as_deref(), said.text()), (Some("A/é"), r#""\u0041\/é""#));
    assert_eq!(&text[said.span()], said.text());
    assert_eq!(root.member("n").unwrap().as_integer(), Some("-12"));
    assert_eq!(root.member("f").unwrap().as_integer(), None);
    assert!(root.member("n").unwrap().as_str().is_none());
    assert!(root.member("b").is_none() && root.member("").is_none() && root.member(r"\u0061b").is_none());

    let list = root.member("list").unwrap();
    let elements: Vec<_> = list.elements().map(Value::text).collect();
    assert_eq!(elements, ["1", r#"{"x": [2]}"#, "\"é\"", "[]"]);
    let inner = list.elements().nth(1).unwrap().member("x").unwrap();
    assert_eq!(inner.elements().map(Value::text).collect::<Vec<_>>(), ["2"]);
    assert_eq!((list.members().count(), root.elements().count(), inner.member("x").is_none()), (0, 0, true));
    assert!(matches!(list.elements().nth(2).unwrap().as_str(), Some(Cow::Borrowed("é"))));
}
