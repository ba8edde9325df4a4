//! Just enough of HTTP/1.1 to see where a message ends.

/// The frame of a message that begins at the first byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame {
    /// Of a response.
    pub status: u16,
    /// Bytes of head and body.
    pub length: usize,
}

impl Frame {
    /// `None` while the head is not all there.
    pub fn of(bytes: &[u8]) -> Option<Self> {
        let head = memchr::memmem::find(bytes, b"\r\n\r\n")? + 4;
        let length = field(&bytes[..head], b"content-length:").map_or(0, number);
        let status = bytes.strip_prefix(b"HTTP/1.1 ").map_or(0, |rest| number(&rest[..3]));
        Some(Self { status: u16::try_from(status).unwrap_or(0), length: head + length })
    }
}

/// What follows `name`, which is in lower case and has its colon, to the end of its line.
pub fn field<'a>(head: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    let line = memchr::memchr_iter(b'\n', head).map(|at| &head[at + 1..]);
    let mut found = line.filter(|line| line.get(..name.len()).is_some_and(|start| start.eq_ignore_ascii_case(name)));
    let rest = &found.next()?[name.len()..];
    Some(&rest[..memchr::memchr(b'\r', rest).unwrap_or(rest.len())])
}

fn number(digits: &[u8]) -> usize {
    let digits = digits.trim_ascii().iter().take_while(|byte| byte.is_ascii_digit());
    digits.fold(0, |sum, byte| sum * 10 + usize::from(byte - b'0'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_ends_where_its_head_says() {
        let bytes = b"HTTP/1.1 401 Unauthorized\r\nx: y\r\nContent-Length: 2\r\n\r\nab";
        assert_eq!(Frame::of(bytes), Some(Frame { status: 401, length: bytes.len() }));
        assert_eq!(Frame::of(&bytes[..40]), None);
        assert_eq!(Frame::of(b"POST / HTTP/1.1\r\nhost: a\r\n\r\n"), Some(Frame { status: 0, length: 28 }));
    }
}
