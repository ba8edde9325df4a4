//! Float lexemes: every kind of double, and every way to spell one that a reader or printer could stumble on.

use std::fmt::Write;

use super::random::Random;

/// A float lexeme, seldom one beyond the range.
pub(super) fn float(random: &mut Random) -> String {
    let mut text = if random.once_in(3) { "-".to_owned() } else { String::new() };
    let any = f64::from_bits(random.bits() >> 1);
    let any = if any.is_finite() { any } else { 1.5 };
    let ulps = random.below(5) as u64;
    match random.below(15) {
        0 | 1 => write!(text, "{any:e}"),
        2 => write!(text, "{any:?}"),
        3 => write!(text, "{any:.*e}", random.between(15, 20)), // one digit too few, enough, too many
        // Exact, or nearly: 770 digits hold any double.
        4 => write!(text, "{any:.*e}", random.between(700, 800)),
        // Subnormal.
        5 => write!(text, "{:e}", f64::from_bits(random.bits() >> random.between(12, 63))),
        // Beside a power of two.
        6 => write!(
            text,
            "{:e}",
            f64::from_bits(((random.between(1, 2045) as u64) << 52).wrapping_add(ulps).wrapping_sub(2))
        ),
        // Binary fractions, which end, and at 16 or 17 digits may lie half-way between two spellings.
        7 | 8 => write!(
            text,
            "{:e}",
            (random.bits() >> random.between(11, 60)) as f64 / (1u64 << random.between(1, 30)) as f64
        ),
        // Exactly half-way between two doubles, and a little aside.
        9 => {
            let shift = random.between(1, 60);
            let odd = u128::from(random.bits() >> 11 | 1 << 52) * 2 + 1;
            write!(text, "{}.{}{}", odd << shift, "0".repeat(random.below(40)), random.one_of(&["0", "1"]))
        }
        10 => {
            let whole = random.between(1, 25);
            write!(text, "{}.0", random.digits(whole))
        }
        11 => {
            let digits = (random.digits(2), random.digits(2));
            write!(text, "{}.{}", digits.0, digits.1)
        }
        12 => {
            text.push_str(random.one_of(&[
                "5e-324",
                "2.4703282292062327e-324",
                "2.4703282292062328e-324",
                "2.47032822920623272e-324",
                "1.7976931348623157e308",
                "1.7976931348623158e308",
                "1.7976931348623159e308",
                "2.2250738585072011e-308",
                "2.2250738585072014e-308",
                "1e15",
                "1e16",
                "1e17",
                "9999999999999998.0",
                "9999999999999999.0",
                "99999999999999990.0",
                "0.0001",
                "0.00001",
                "0.00009999999999999999",
                "1e-4",
                "1e-5",
                "1e22",
                "1e23",
                "9007199254740993.0",
                "9007199254740992.9999999999999999",
                "0.0",
                "0e0",
                "0e999999999999",
                "1e-999999999999",
                "1.0E+0",
                "0.1",
                "0.3",
                "123456789012345680.0",
                "1e400",
                "1e309",
                "1e308",
                "5.6843418860808015e-14",
            ]));
            Ok(())
        }
        // An exponent and zeros that take each other back, now and then beyond where others stop counting.
        13 => {
            let zeros = if random.once_in(3_000) { random.between(60_000, 1_100_000) } else { random.between(0, 400) };
            let (digits, exponent) = (random.digits(3), zeros as isize + random.between(0, 40) as isize - 20);
            match random.below(2) {
                0 => write!(text, "0.{}{digits}e{exponent:+}", "0".repeat(zeros)),
                _ => write!(text, "1{digits}{}.{}E{}", "0".repeat(zeros), random.digits(1), -exponent),
            }
        }
        _ => {
            let (whole, fraction, exponent) = (random.between(1, 30), random.between(1, 30), random.between(1, 3));
            let sign = random.one_of(&["", "+", "-", "-"]);
            write!(text, "{}.{}e{sign}{}", random.digits(whole), random.digits(fraction), random.digits(exponent))
        }
    }
    .expect("writing to a string does not fail");
    as_lexeme(&text)
}

/// Without leading zeros, and with what makes it a float.
fn as_lexeme(text: &str) -> String {
    let (sign, number) = text.strip_prefix('-').map_or(("", text), |number| ("-", number));
    let trimmed = number.trim_start_matches('0');
    let number =
        if trimmed.starts_with(|c: char| c.is_ascii_digit()) { trimmed.to_owned() } else { format!("0{trimmed}") };
    let point = if number.contains(['.', 'e', 'E']) { "" } else { ".0" };
    format!("{sign}{number}{point}")
}
