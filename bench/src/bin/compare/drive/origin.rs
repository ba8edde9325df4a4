use std::io::{ErrorKind, Read, Write};

use mio::net::TcpStream;

use crate::frame::Frame;

/// Answers the requests that are there. False once the connection has ended.
pub(super) fn answer(
    stream: &mut TcpStream,
    came: &mut Vec<u8>,
    buffer: &mut [u8],
    mut seen: impl FnMut(&[u8]),
) -> bool {
    loop {
        let count = match stream.read(buffer) {
            Ok(0) => return false,
            Ok(count) => count,
            Err(error) => return error.kind() == ErrorKind::WouldBlock,
        };
        let whole = if came.is_empty() {
            &buffer[..count]
        } else {
            came.extend_from_slice(&buffer[..count]);
            &came[..]
        };
        match Frame::of(whole) {
            Some(Frame { length, .. }) if length <= whole.len() => {
                seen(whole);
                // Thirty bytes into an empty socket buffer.
                if stream.write(ANSWER).ok() != Some(ANSWER.len()) {
                    return false;
                }
                came.clear();
            }
            _ if came.is_empty() => came.extend_from_slice(&buffer[..count]),
            _ => {}
        }
        if count < buffer.len() {
            return true;
        }
    }
}

const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\nServer: origin\r\nDate: Thu, 26 Nov 2026 10:00:00 GMT\r\n\
    Content-Type: application/json\r\nContent-Length: 32\r\n\r\n{\"status\": \"ok\", \"order\": 47110}";
