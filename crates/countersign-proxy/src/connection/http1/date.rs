//! The `Date` of our answers (RFC 9110 §5.6.7), formatted once a second.

use std::cell::Cell;
use std::time::{SystemTime, UNIX_EPOCH};

const DAYS: [&[u8; 3]; 7] = [b"Thu", b"Fri", b"Sat", b"Sun", b"Mon", b"Tue", b"Wed"];
const MONTHS: [&[u8; 3]; 12] =
    [b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec"];

thread_local! {
    static LAST: Cell<(u64, [u8; 29])> = const { Cell::new((0, [b' '; 29])) };
}

/// The time of now.
pub(super) fn now() -> [u8; 29] {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(1, |since| since.as_secs().max(1));
    let (second, written) = LAST.get();
    if second == now {
        return written;
    }
    let written = imf_fixdate(now);
    LAST.set((now, written));
    written
}

/// `Sun, 06 Nov 1994 08:49:37 GMT`, of a second since 1970, in a year of four digits.
fn imf_fixdate(second: u64) -> [u8; 29] {
    let (day, second) = (second / 86_400, second % 86_400);
    let mut written = *b"Thu, 01 Jan 1970 00:00:00 GMT";
    let Some((year, month, date)) = crate::log::date(i64::try_from(day).unwrap_or(i64::MAX)) else { return written };
    written[..3].copy_from_slice(DAYS[usize::try_from(day % 7).unwrap_or(0)]);
    written[8..11].copy_from_slice(MONTHS[usize::try_from(month - 1).unwrap_or(0) % 12]);
    for (at, digits, mut number) in
        [(5, 2, date), (12, 4, year), (17, 2, second / 3600), (20, 2, second / 60 % 60), (23, 2, second % 60)]
    {
        for place in written[at..at + digits].iter_mut().rev() {
            *place = b'0' + (number % 10) as u8;
            number /= 10;
        }
    }
    written
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_those_of_the_rfc() {
        for (second, text) in [
            (784_111_777, "Sun, 06 Nov 1994 08:49:37 GMT"),
            (951_782_399, "Mon, 28 Feb 2000 23:59:59 GMT"),
            (951_782_400, "Tue, 29 Feb 2000 00:00:00 GMT"),
            (4_102_444_800, "Fri, 01 Jan 2100 00:00:00 GMT"),
        ] {
            assert_eq!(std::str::from_utf8(&imf_fixdate(second)).unwrap(), text);
        }
        assert_eq!(now().len(), 29);
    }
}
