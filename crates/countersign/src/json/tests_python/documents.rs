//! Documents of every kind that could be printed differently, and broken ones.

use super::floats;
use super::random::Random;

pub(super) fn document(mut random: Random) -> Vec<u8> {
    let mut writer = Writer { out: Vec::new(), spacing: random.below(4), random };
    match writer.random.below(100) {
        0..40 => writer.value(5),
        40..65 => writer.array_of(Writer::float),
        65..72 => writer.array_of(Writer::integer),
        72..88 => writer.array_of(Writer::string),
        88..90 => writer.deep(),
        _ => {
            writer.value(3);
            writer.space();
            for _ in 0..writer.random.between(1, 3) {
                writer.break_something();
            }
        }
    }
    writer.out
}

struct Writer {
    out: Vec<u8>,
    /// 0: none at all; 1: as Python prints; else any.
    spacing: usize,
    random: Random,
}

impl Writer {
    fn put(&mut self, text: &str) {
        self.out.extend(text.bytes());
    }

    fn space(&mut self) {
        if self.spacing > 1 {
            for _ in 0..self.random.below(self.spacing) {
                let space = self.random.one_of(&[" ", "\n", "\r\n", "\t", "  "]);
                self.put(space);
            }
        }
    }

    fn separator(&mut self, byte: &str) {
        self.space();
        self.put(byte);
        self.space();
        if self.spacing == 1 {
            self.put(" ");
        }
    }

    fn value(&mut self, levels: usize) {
        self.space();
        match self.random.below(if levels == 0 { 8 } else { 16 }) {
            0 => self.put("null"),
            1 => self.put("true"),
            2 => self.put("false"),
            3 | 4 => self.integer(),
            5 => self.float(),
            6 | 7 => self.string(),
            8..12 => {
                self.put("[");
                self.list(|writer| writer.value(levels - 1));
                self.put("]");
            }
            _ => {
                self.put("{");
                self.list(|writer| {
                    writer.name();
                    writer.separator(":");
                    writer.value(levels - 1);
                });
                self.put("}");
            }
        }
        self.space();
    }

    fn list(&mut self, mut element: impl FnMut(&mut Self)) {
        self.space();
        let len = if self.random.once_in(200) { 60 } else { self.random.below(6) };
        for nth in 0..len {
            if nth > 0 {
                self.separator(",");
            }
            element(self);
        }
        self.space();
    }

    fn array_of(&mut self, element: fn(&mut Self)) {
        self.put("[");
        self.list(element);
        self.put("]");
    }

    /// Around the last level that is allowed, and now and then far beyond the recursion limit of CPython.
    fn deep(&mut self) {
        let levels = if self.random.once_in(50) { 3_000 } else { self.random.between(120, 136) };
        let mut close = Vec::new();
        for _ in 0..levels {
            let (open, end) =
                *self.random.one_of(&[&("[", "]"), &("[[], ", "]"), &("{\"a\":", "}"), &("{\"b\":1,\"a\":", "}")]);
            self.put(open);
            close.push(end);
        }
        let innermost = self.random.one_of(&["0", "[]", "{}", "\"\""]);
        self.put(innermost);
        close.iter().rev().for_each(|end| self.put(end));
    }

    /// Often enough one that was there before, in the same spelling or in another.
    fn name(&mut self) {
        match self.random.below(6) {
            0 => self.string(),
            1 => {
                let taken = self.random.one_of(&[
                    "\"a\"",
                    "\"\\u0061\"",
                    "\"\"",
                    "\"é\"",
                    "\"\\u00e9\"",
                    "\"\\ud834\\udd1e\"",
                    "\"𝄞\"",
                ]);
                self.put(taken);
            }
            _ => {
                let len = self.random.between(1, 12);
                let name: String = (0..len)
                    .map(|_| *self.random.one_of(&[&'a', &'b', &'Z', &'_', &'0', &'é', &'\u{ffff}', &'𐀀']))
                    .collect();
                self.put(&format!("\"{name}\""));
            }
        }
    }

    fn string(&mut self) {
        self.put("\"");
        let len = if self.random.once_in(50) { 200 } else { self.random.below(20) };
        let ascii_only = self.random.once_in(2);
        for _ in 0..len {
            self.character(ascii_only);
        }
        self.put("\"");
    }

    fn character(&mut self, ascii_only: bool) {
        let character = match self.random.below(if ascii_only { 10 } else { 18 }) {
            0 => return self.escape_of_any_unit(),
            1 => *self.random.one_of(&[
                &'"', &'\\', &'/', &'\u{8}', &'\u{c}', &'\n', &'\r', &'\t', &'\0', &'\u{1f}', &'\u{7f}', &' ',
            ]),
            2..10 => char::from(self.random.between(0x20, 0x7e) as u8),
            10..12 => char::from(self.random.between(0x80, 0xff) as u8),
            12..14 => char::from_u32(self.random.between(0x100, 0xd7ff) as u32).unwrap(),
            14 => *self.random.one_of(&[
                &'\u{2028}',
                &'\u{feff}',
                &'\u{fffd}',
                &'\u{ffff}',
                &'\u{10000}',
                &'\u{10ffff}',
                &'\u{e000}',
            ]),
            _ => char::from_u32(self.random.between(0x1_0000, 0x10_ffff) as u32).unwrap(),
        };
        let must = matches!(character, '"' | '\\' | '\0'..='\u{1f}') && !self.random.once_in(2_000);
        match (must, self.random.below(4)) {
            (_, 0) => {
                for unit in character.encode_utf16(&mut [0; 2]) {
                    self.escape(*unit);
                }
            }
            (true, _) | (_, 1) => match character {
                '"' | '\\' | '/' => self.put(&format!("\\{character}")),
                '\u{8}' => self.put("\\b"),
                '\u{c}' => self.put("\\f"),
                '\n' | '\r' | '\t' => self.put(&character.escape_default().to_string()),
                _ if must => self.escape(character as u16),
                _ => self.put(character.encode_utf8(&mut [0; 4])),
            },
            _ => self.put(character.encode_utf8(&mut [0; 4])),
        }
    }

    fn escape(&mut self, unit: u16) {
        let text = if self.random.once_in(2) { format!("\\u{unit:04x}") } else { format!("\\u{unit:04X}") };
        self.put(&text);
    }

    /// Mostly a character, seldom half a pair.
    fn escape_of_any_unit(&mut self) {
        let unit =
            if self.random.once_in(300) { self.random.between(0xd800, 0xdfff) } else { self.random.below(0xd800) };
        self.escape(unit as u16);
    }

    fn integer(&mut self) {
        let len = match self.random.below(1_000) {
            0 => 5_000,
            1..100 => self.random.between(1, 400),
            _ => self.random.between(1, 24),
        };
        let digits = self.random.digits(len);
        let sign = self.random.one_of(&["", "", "-"]);
        // Leading zeros are for those who break things.
        let digits = if self.random.once_in(500) { &digits } else { digits.trim_start_matches('0') };
        self.put(&format!("{sign}{}", if digits.is_empty() { "0" } else { digits }));
    }

    fn float(&mut self) {
        let text = floats::float(&mut self.random);
        self.put(&text);
    }

    fn break_something(&mut self) {
        const PIECES: [&[u8]; 40] = [
            b"\"",
            b"\\",
            b"{",
            b"}",
            b"[",
            b"]",
            b",",
            b":",
            b"0",
            b"-",
            b".",
            b"e",
            b"E+",
            b"1e999",
            b"1e400",
            b" ",
            b"\x0c",
            b"\x0b",
            b"\0",
            b"\x7f",
            b"\x1f",
            b"\xc2\xa0",
            b"NaN",
            b"Infinity",
            b"-Infinity",
            b"null",
            b"\\u",
            b"\\ud800",
            b"\\udc00",
            b"\\x41",
            b"\\'",
            b"\xff",
            b"\xed\xa0\x80",
            b"\xc0\x80",
            b"\xef\xbb\xbf",
            b"\"a\":1,",
            b"\"\\u0061\":1,",
            b"//",
            b"+",
            b"'",
        ];
        let at = self.random.below(self.out.len() + 1);
        match self.random.below(8) {
            0 => self.out.truncate(at),
            1 if at < self.out.len() => drop(self.out.remove(at)),
            2 if at < self.out.len() && self.random.once_in(2) => self.out[at] ^= 1 << self.random.below(8),
            2 => {
                if let Some(bracket) = self.out.iter_mut().skip(at).find(|byte| b"[]{}".contains(byte)) {
                    *bracket = b"[]{}"[self.random.below(4)];
                }
            }
            3 => self.out.splice(0..0, *b"\xef\xbb\xbf").for_each(drop),
            4 => {
                let end = self.random.between(at, self.out.len());
                let again = self.out[at..end].to_vec();
                self.out.splice(at..at, again).for_each(drop);
            }
            5 => {
                // Where a value stands, what is none to RFC 8259.
                let mut again = b"[".to_vec();
                again.extend(
                    self.random
                        .one_of(&["NaN", "Infinity", "-Infinity", "-NaN", "+1", "True", "01", "1.", "1e400"])
                        .bytes(),
                );
                again.push(b',');
                again.append(&mut self.out);
                again.push(b']');
                self.out = again;
            }
            _ => {
                let piece = self.random.one_of(&PIECES);
                self.out.splice(at..at, piece.iter().copied()).for_each(drop);
            }
        }
    }
}
