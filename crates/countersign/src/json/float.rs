//! Floats: the double that a lexeme means, and CPython's `repr` of a double.

use super::Malformed;

/// A lexeme of at most this length goes to the standard library as it is.
const SHORT: usize = 64;

/// Digits after the first non-zero one that can decide how a number rounds to a double: 768 for a number half-way
/// between two of them. A few more do no harm; one further digit then says that there were others.
const SIGNIFICANT: usize = 780;

/// The double that is nearest to a float of the JSON grammar (ties to even), as CPython's `float()` finds it.
///
/// # Errors
///
/// When the number is beyond a double's range. CPython makes `inf` of it and prints `Infinity`, which is not JSON.
pub(super) fn nearest(lexeme: &str) -> Result<f64, Malformed> {
    let parsed = if lexeme.len() <= SHORT { lexeme.parse() } else { condensed(lexeme).parse() };
    match parsed {
        Ok(double) if f64::is_finite(double) => Ok(double),
        _ => Err(Malformed("a number is beyond a double's range")),
    }
}

/// `lexeme` with the same sign and the same nearest double, in about [`SIGNIFICANT`] bytes.
///
/// The standard library stops counting an exponent at 2^16, which is right only for a number without as many digits: it
/// reads `0.` with a million zeros and `1e1000001` as 0, CPython reads it as 1.
fn condensed(lexeme: &str) -> String {
    let (sign, number) = lexeme.strip_prefix('-').map_or(("", lexeme), |number| ("-", number));
    let (digits, exponent) = number.split_once(['e', 'E']).unwrap_or((number, "0"));
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));

    let zeros = whole.bytes().chain(fraction.bytes()).take_while(|digit| *digit == b'0').count();
    let mut significant = whole.bytes().chain(fraction.bytes()).skip(zeros).map(char::from);
    let mut condensed = format!("{sign}0.");
    condensed.extend(significant.by_ref().take(SIGNIFICANT));
    if significant.any(|digit| digit != '0') {
        condensed.push('1');
    }
    // Lengths are below 2^32, so this can't wrap. Of a zero nothing is left but the sign and `0.`, which is enough.
    let point = whole.len() as i64 - zeros as i64 + exponent_of(exponent);
    condensed.push_str(&format!("e{point}"));
    condensed
}

/// An exponent of any length, held at a billion billion: far beyond the length of any lexeme.
fn exponent_of(text: &str) -> i64 {
    let (sign, digits) = text.strip_prefix('-').map_or((1, text), |digits| (-1, digits));
    let digits = digits.trim_start_matches(['+', '0']);
    let magnitude =
        if digits.is_empty() { 0 } else { digits.parse().unwrap_or(i64::MAX).min(1_000_000_000_000_000_000) };
    sign * magnitude
}

/// Whether CPython prints the number `whole.fraction` as it stands, told without making a double of it.
///
/// Decimals of up to 15 significant digits come back from the double that is nearest to them. So two of them never mean
/// the same double, and the shortest that means this one is this one, less its trailing zeros. It saves ordinary floats,
/// prices and measures, both ways through binary: 1500 instructions each.
pub(super) fn is_repr(whole: &[u8], fraction: &[u8]) -> bool {
    let point_zero = fraction == b"0";
    let shortest = whole.len() + fraction.len() <= 15 && (point_zero || !fraction.ends_with(b"0"));
    // Below 0.0001 it prints an exponent; from 1e16 on too, which has more digits.
    let fixed = whole != b"0" || point_zero || !fraction.starts_with(b"0000");
    shortest && fixed
}

/// Appends CPython's `repr` of a finite double: the shortest digits that read back as the same, with an exponent when
/// the point would stand more than 4 places before the first digit or behind the 16th.
pub(super) fn print_repr(value: f64, out: &mut Vec<u8>) {
    let spelled = shortest(value.abs());
    let (mantissa, exponent) = spelled.split_once('e').unwrap_or((&spelled, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0); // never fails: `{:e}` always ends in an exponent
    let (first, rest) = mantissa.split_once('.').unwrap_or((mantissa, ""));

    if value.is_sign_negative() {
        out.push(b'-');
    }
    match exponent {
        0..=15 => {
            let whole = rest.len().min(exponent as usize);
            out.extend_from_slice(first.as_bytes());
            out.extend_from_slice(&rest.as_bytes()[..whole]);
            out.resize(out.len() + exponent as usize - whole, b'0');
            out.push(b'.');
            out.extend_from_slice(if whole == rest.len() { b"0" } else { &rest.as_bytes()[whole..] });
        }
        -4..=-1 => {
            out.extend_from_slice(&b"0.000"[..1 + exponent.unsigned_abs() as usize]);
            out.extend_from_slice(first.as_bytes());
            out.extend_from_slice(rest.as_bytes());
        }
        _ => {
            out.extend_from_slice(mantissa.as_bytes());
            out.extend_from_slice(if exponent < 0 { b"e-" } else { b"e+" });
            // Two digits at least, as C's printf does it.
            out.extend_from_slice(format!("{:02}", exponent.unsigned_abs()).as_bytes());
        }
    }
}

/// The shortest digits that read back as `value`, in the form `d.ddde±x`; of two that are equally near, the even one.
///
/// The standard library and CPython agree on how many digits, and on which, except where `value` is exactly half-way
/// between two candidates: 690150415447354.25 is `690150415447354.3` to the one and `690150415447354.2` (David Gay's
/// rounding to even) to the other. That takes at least 16 digits. With the number of digits given, the standard library
/// rounds to even too; what it finds may then, only beside a power of two, belong to the next smaller double, and the
/// first answer stands.
fn shortest(value: f64) -> String {
    let shortest = format!("{value:e}");
    let fraction = shortest.find('e').unwrap_or(0).saturating_sub(2);
    if fraction < 15 {
        return shortest;
    }
    let even = format!("{value:.fraction$e}");
    if even.parse() == Ok(value) { even } else { shortest }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn repr(lexeme: &str) -> String {
        let mut out = Vec::new();
        print_repr(nearest(lexeme).unwrap(), &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn floats_print_as_python_prints_them() {
        for (lexeme, printed) in [
            ("1.0", "1.0"),
            ("1e0", "1.0"),
            ("1e5", "100000.0"),
            ("1E+05", "100000.0"),
            ("0.0", "0.0"),
            ("-0.0", "-0.0"),
            ("-0e0", "-0.0"),
            ("12.50", "12.5"),
            ("123456.789", "123456.789"),
            ("1e15", "1000000000000000.0"),
            ("9999999999999998.0", "9999999999999998.0"),
            ("1e16", "1e+16"),
            ("12345678901234567.0", "1.2345678901234568e+16"),
            ("1.5e300", "1.5e+300"),
            ("0.0001", "0.0001"),
            ("0.00012", "0.00012"),
            ("1e-5", "1e-05"),
            ("0.000012", "1.2e-05"),
            ("1e-9", "1e-09"),
            ("1e-10", "1e-10"),
            ("0.1", "0.1"),
            ("0.30000000000000004", "0.30000000000000004"),
        ] {
            assert_eq!(repr(lexeme), printed, "{lexeme}");
        }
    }

    #[test]
    fn a_float_that_is_printed_as_it_stands_is_what_the_double_prints() {
        let (mut random, mut as_it_stands) = (0x9e37_79b9_7f4a_7c15_u64, 0);
        for _ in 0..200_000 {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            // Up to 17 digits, with zeros and nines in front and behind as often as not.
            let digits =
                format!("{:017}", random % [10, 10_000, 10_u64.pow(15), 10_u64.pow(17)][(random >> 60) as usize % 4]);
            let digits = if random & 1 << 59 == 0 { digits.replace('7', "0") } else { digits.replace('3', "9") };
            let (whole, fraction) = digits[(random >> 50) as usize % 8..].split_at(1 + (random >> 40) as usize % 9);
            let whole = match whole.trim_start_matches('0') {
                "" => "0",
                whole => whole,
            };
            if is_repr(whole.as_bytes(), fraction.as_bytes()) {
                as_it_stands += 1;
                let lexeme = format!("{whole}.{fraction}");
                assert_eq!(repr(&lexeme), lexeme);
            }
        }
        assert!(as_it_stands > 20_000, "{as_it_stands}");
        for (whole, fraction) in [("0", "00001"), ("1", "50"), ("1", "00"), ("0", "00"), ("1234567890123456", "5")] {
            assert!(!is_repr(whole.as_bytes(), fraction.as_bytes()), "{whole}.{fraction}");
        }
    }

    #[test]
    fn the_ends_of_the_range_print_as_python_prints_them() {
        assert_eq!(repr("5e-324"), "5e-324");
        assert_eq!(repr("3e-324"), "5e-324");
        assert_eq!(repr("2e-324"), "0.0");
        assert_eq!(repr("-1e-400"), "-0.0");
        assert_eq!(repr("2.2250738585072014e-308"), "2.2250738585072014e-308");
        assert_eq!(repr("2.2250738585072011e-308"), "2.225073858507201e-308");
        assert_eq!(repr("1.7976931348623157e308"), "1.7976931348623157e+308");
        assert_eq!(repr("1.7976931348623158e308"), "1.7976931348623157e+308");
    }

    #[test]
    fn a_number_beyond_the_range_is_refused_however_it_is_spelled() {
        let long = format!("1{}.0", "0".repeat(400));
        for lexeme in ["1e309", "-1e309", "1.7976931348623159e308", "1e400", "1e99999999999999999999", &long] {
            assert!(nearest(lexeme).is_err(), "{lexeme}");
        }
    }

    #[test]
    fn of_two_shortest_spellings_equally_near_the_even_one_is_printed() {
        assert_eq!(repr("690150415447354.25"), "690150415447354.2");
        assert_eq!(repr("562949953421313.25"), "562949953421313.2");
        assert_eq!(repr("562949953421313.75"), "562949953421313.8");
        assert_eq!(repr("5.9604644775390625e-07"), "5.960464477539062e-07");
    }

    /// 2^-44 is half-way between ...801 and ...802, and ...801 is nearer to the double below.
    #[test]
    fn beside_a_power_of_two_the_odd_spelling_is_printed_if_only_it_reads_back() {
        assert_eq!(repr("5.6843418860808015e-14"), "5.684341886080802e-14");
        for power in -1074..1024 {
            let value = 2f64.powi(power);
            let mut out = Vec::new();
            print_repr(value, &mut out);
            assert_eq!(std::str::from_utf8(&out).unwrap().parse(), Ok(value), "2^{power}");
        }
    }

    #[test]
    fn an_exponent_and_as_many_zeros_take_each_other_back() {
        let zeros = "0".repeat(1_000_000);
        assert_eq!(repr(&format!("0.{zeros}1e1000001")), "1.0");
        assert_eq!(repr(&format!("-0.{zeros}25e1000001")), "-2.5");
        assert_eq!(repr(&format!("1{zeros}.0e-1000000")), "1.0");
        assert_eq!(repr(&format!("1{zeros}.0e-000{zeros}1000003")), "0.001");
        assert_eq!(repr(&format!("0.{zeros}e{zeros}9{zeros}")), "0.0");
        assert_eq!(repr(&format!("1.5e-9{zeros}")), "0.0");
        assert!(nearest(&format!("1{zeros}.0")).is_err());
        assert!(nearest(&format!("1.5e+9{zeros}")).is_err());
    }

    /// Half-way between two subnormals, or the last of them and the first normal one, is the longest way to go: the
    /// 768th digit says which is nearer.
    #[test]
    fn half_way_between_two_doubles_goes_to_the_even_one_and_the_least_more_goes_up() {
        for (odd, even, up) in
            [(1, 0u64, 1), (3, 2, 2), (5, 2, 3), ((1 << 53) - 1, 1 << 52, 1 << 52), ((1 << 54) - 1, 2 << 52, 2 << 52)]
        {
            let digits = times_5_to_the_1075(odd); // odd * 2^-1075 is odd * 5^1075 * 10^-1075
            assert!(digits.len() <= 768);
            for zeros in [0, 1_000] {
                let exact = format!("{digits}.0{}e-1075", "0".repeat(zeros));
                let more = format!("{digits}.0{}1e-1075", "0".repeat(zeros));
                assert_eq!(nearest(&exact).unwrap().to_bits(), even, "{odd}");
                assert_eq!(nearest(&more).unwrap().to_bits(), up, "{odd}");
            }
        }
    }

    fn times_5_to_the_1075(factor: u64) -> String {
        let mut digits: Vec<u64> = vec![factor]; // to the base of 10^15, the lowest first
        for _ in 0..1075 {
            let mut carry = 0;
            for digit in &mut digits {
                let product = *digit * 5 + carry;
                (*digit, carry) = (product % 10u64.pow(15), product / 10u64.pow(15));
            }
            digits.extend((carry > 0).then_some(carry));
        }
        let number: String = digits.iter().rev().map(|digit| format!("{digit:015}")).collect();
        number.trim_start_matches('0').to_owned()
    }

    /// 2^53 + 1 is half-way between two doubles and goes to the even one; a millionth digit puts it above.
    #[test]
    fn the_last_digit_of_a_long_lexeme_decides() {
        let zeros = "0".repeat(1_000_000);
        assert_eq!(repr(&format!("9007199254740993.{zeros}")), "9007199254740992.0");
        assert_eq!(repr(&format!("9007199254740993.{zeros}1")), "9007199254740994.0");
        assert_eq!(repr(&format!("9007199254740993.{zeros}1e0")), "9007199254740994.0");
        assert_eq!(repr(&format!("0.{}1", "0".repeat(70))), "1e-71");
    }
}
