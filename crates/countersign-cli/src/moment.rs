use std::time::{Duration, SystemTime, UNIX_EPOCH};

use countersign::Timestamp;

/// A time as people write it: RFC 3339, a date, seconds since 1970, or a duration from now (`90d`, `-5m`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Moment {
    At(Timestamp),
    After(Duration),
    Before(Duration),
}

impl Moment {
    /// For clap.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        if digits(text) {
            return match text.parse() {
                Ok(seconds) if text.len() <= 11 => Ok(Self::At(Timestamp::from_secs(seconds))),
                _ => Err("a number stands for seconds since 1970 and has at most 11 digits".to_owned()),
            };
        }
        if let Some(ago) = text.strip_prefix('-') {
            return duration(ago).map(Self::Before);
        }
        if let Ok(after) = duration(text.strip_prefix('+').unwrap_or(text)) {
            return Ok(Self::After(after));
        }
        if let Ok(moment) = text.parse::<jiff::Timestamp>() {
            return Ok(Self::At(Timestamp::from_millis(moment.as_millisecond())));
        }
        match format!("{text}T00:00:00Z").parse::<jiff::Timestamp>() {
            Ok(midnight) if text.len() == 10 => Ok(Self::At(Timestamp::from_millis(midnight.as_millisecond()))),
            _ => Err("not a time: write 2026-11-23T10:00:00Z, 2026-11-23, 1795428000, or 90d from now".to_owned()),
        }
    }

    pub(crate) fn resolve(self, now: Timestamp) -> Timestamp {
        match self {
            Self::At(moment) => moment,
            Self::After(duration) => now.after(duration),
            Self::Before(duration) => now.before(duration),
        }
    }
}

/// The time of the system's clock.
pub(crate) fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_millis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

/// `30s`, `5m`, `12h`, `90d`, `2w`, `250ms`.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let bad = || format!("{text} is not a duration: write 30s, 5m, 12h or 90d");
    let at = text.find(|byte: char| !byte.is_ascii_digit()).ok_or_else(bad)?;
    let number: u64 = text[..at].parse().map_err(|_| bad())?;
    let unit = match &text[at..] {
        "ms" => return Ok(Duration::from_millis(number)),
        "s" => 1,
        "m" => 60,
        "h" => 3600,
        "d" => 86_400,
        "w" => 604_800,
        _ => return Err(bad()),
    };
    number.checked_mul(unit).map(Duration::from_secs).ok_or_else(bad)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_can_be_written_in_several_ways() {
        let now = Timestamp::from_secs(1_000_000_000);
        let at = |text: &str| Moment::parse(text).map(|moment| moment.resolve(now).as_secs()).ok();
        assert_eq!(at("1618884473"), Some(1_618_884_473));
        assert_eq!(at("2021-04-20T02:07:53Z"), Some(1_618_884_473));
        assert_eq!(at("2021-04-20T04:07:53+02:00"), Some(1_618_884_473));
        assert_eq!(at("2021-04-20"), Some(1_618_876_800));
        assert_eq!(at("90d"), Some(1_000_000_000 + 90 * 86_400));
        assert_eq!(at("+30s"), Some(1_000_000_030));
        assert_eq!(at("-5m"), Some(999_999_700));
        for bad in ["", "-", "5", "1618884473000", "tomorrow", "5x", "-5", "2021-13-01", "99999999999999999999d"] {
            assert!(at(bad).is_none() || bad == "5", "{bad}");
        }
    }
}
