use std::time::Duration;

const DAY: u64 = 24 * 60 * 60 * 1000;

/// Units of time in milliseconds, in the order in which they are written.
const TIMES: [(&str, u64); 5] = [("d", DAY), ("h", 60 * 60 * 1000), ("m", 60 * 1000), ("s", 1000), ("ms", 1)];

/// Units of size in bytes. `K` alone is none: it means 1000 to one reader and 1024 to the next.
const SIZES: [(&str, u64); 7] = [
    ("GiB", 1 << 30),
    ("MiB", 1 << 20),
    ("KiB", 1 << 10),
    ("GB", 1_000_000_000),
    ("MB", 1_000_000),
    ("kB", 1000),
    ("B", 1),
];

/// So many in such a time: `100/s`. Both above zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// How many.
    pub count: u64,
    /// In which time: a second, a minute or an hour.
    pub per: Duration,
}

/// `5m`, `30s`, `1h30m`, `250ms`, `1d`: whole numbers, each with its unit, the larger first; ten years at most.
pub(super) fn duration(text: &str) -> Option<Duration> {
    let (mut rest, mut units, mut total) = (text, &TIMES[..], 0u64);
    while !rest.is_empty() {
        let (number, tail) = number(rest)?;
        let length = tail.find(|c: char| !c.is_ascii_lowercase()).unwrap_or(tail.len());
        let at = units.iter().position(|(unit, _)| *unit == &tail[..length])?;
        total = total.checked_add(number.checked_mul(units[at].1)?)?;
        units = &units[at + 1..];
        rest = &tail[length..];
    }
    (!text.is_empty() && total <= 3650 * DAY).then(|| Duration::from_millis(total))
}

/// `10MiB`, `64kB`, `512B`. Zero is a size.
pub(crate) fn size(text: &str) -> Option<u64> {
    let (number, unit) = number(text)?;
    SIZES.iter().find(|(name, _)| *name == unit).and_then(|(_, bytes)| number.checked_mul(*bytes))
}

/// `0660`: permissions in octal, three digits or four with a zero in front.
pub(crate) fn mode(text: &str) -> Option<u32> {
    let digits = text.strip_prefix('0').unwrap_or(text);
    let octal = digits.len() == 3 && digits.bytes().all(|byte| matches!(byte, b'0'..=b'7'));
    octal.then(|| u32::from_str_radix(digits, 8).ok()).flatten()
}

/// `100/s`, `600/m`, `1000/h`.
pub(super) fn rate(text: &str) -> Option<Rate> {
    let (count, per) = number(text)?;
    let per = Duration::from_secs(match per {
        "/s" => 1,
        "/m" => 60,
        "/h" => 3600,
        _ => return None,
    });
    (count > 0).then_some(Rate { count, per })
}

/// A duration as [`duration`] reads it.
pub(super) fn show_duration(duration: Duration) -> String {
    let mut rest = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    let mut out = String::new();
    for (unit, length) in TIMES {
        if rest >= length {
            out.push_str(&format!("{}{unit}", rest / length));
            rest %= length;
        }
    }
    if out.is_empty() { "0s".to_owned() } else { out }
}

/// A size as [`size`] reads it.
pub(super) fn show_size(bytes: u64) -> String {
    match SIZES[..3].iter().find(|(_, unit)| bytes >= *unit && bytes.is_multiple_of(*unit)) {
        Some((name, unit)) => format!("{}{name}", bytes / unit),
        None => format!("{bytes}B"),
    }
}

/// The whole number at the start, and what follows it.
fn number(text: &str) -> Option<(u64, &str)> {
    let length = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    Some((text[..length].parse().ok()?, &text[length..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_carry_their_unit() {
        for (text, millis) in
            [("5m", 300_000), ("30s", 30_000), ("1h", 3_600_000), ("250ms", 250), ("1h30m", 5_400_000), ("1d", DAY)]
        {
            assert_eq!(duration(text), Some(Duration::from_millis(millis)), "{text}");
            assert_eq!(show_duration(Duration::from_millis(millis)), text);
        }
        assert_eq!(duration("0s"), Some(Duration::ZERO));
    }

    #[test]
    fn what_is_no_duration_is_refused() {
        for text in [
            "",
            "5",
            "m",
            "5 m",
            "-5m",
            "+5m",
            "1.5h",
            "5M",
            "5min",
            "30m1h",
            "1s1s",
            "5m ",
            "٥m",
            "18446744073709551616s",
            "99999999999d",
            "3651d",
            "5mm",
        ] {
            assert_eq!(duration(text), None, "{text}");
        }
    }

    #[test]
    fn sizes_are_binary_or_decimal_as_they_say() {
        for (text, bytes) in [("10MiB", 10 << 20), ("64KiB", 65536), ("1GiB", 1 << 30), ("512B", 512), ("0B", 0)] {
            assert_eq!(size(text), Some(bytes), "{text}");
            assert_eq!(show_size(bytes), text);
        }
        assert_eq!((size("1kB"), size("2MB"), size("3GB")), (Some(1000), Some(2_000_000), Some(3_000_000_000)));
        for text in ["", "10", "10M", "10K", "10mib", "10 MiB", "-1B", "1.5MiB", "18446744073709551615KiB"] {
            assert_eq!(size(text), None, "{text}");
        }
    }

    #[test]
    fn permissions_are_octal() {
        assert_eq!((mode("0660"), mode("600"), mode("0777")), (Some(0o660), Some(0o600), Some(0o777)));
        for text in ["", "660x", "0o660", "60", "060", "04755", "0680", "-660", "rw-------"] {
            assert_eq!(mode(text), None, "{text}");
        }
    }

    #[test]
    fn a_rate_of_nothing_is_no_rate() {
        assert_eq!(rate("100/s"), Some(Rate { count: 100, per: Duration::from_secs(1) }));
        assert_eq!(rate("600/m").map(|rate| rate.per), Some(Duration::from_secs(60)));
        for text in ["", "100", "0/s", "100/", "/s", "100/d", "100 /s", "1.5/s", "-1/s"] {
            assert_eq!(rate(text), None, "{text}");
        }
    }
}
