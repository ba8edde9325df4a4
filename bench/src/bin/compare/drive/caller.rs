use std::io::{ErrorKind, Read, Write};

use mio::net::TcpStream;
use rustls::ClientConnection;

use crate::frame::Frame;

/// One caller, with one request at a time.
pub(super) struct Caller {
    pub(super) stream: TcpStream,
    pub(super) tls: Option<ClientConnection>,
    came: Vec<u8>,
    unsent: Vec<u8>,
    /// Whether an answer is still to come.
    pub(super) waiting: bool,
}

impl Caller {
    /// One that is connected, over TLS where there is a client for it.
    pub(super) fn new(stream: TcpStream, tls: Option<ClientConnection>) -> Self {
        Self { stream, tls, came: Vec::new(), unsent: Vec::new(), waiting: false }
    }

    /// Sends a request. False where nobody is there to take it.
    pub(super) fn send(&mut self, message: &[u8]) -> bool {
        self.waiting = true;
        match &mut self.tls {
            Some(tls) => {
                tls.writer().write_all(message).expect("room");
            }
            None => match self.stream.write(message) {
                Ok(count) if count == message.len() => return true,
                Ok(count) => self.unsent.extend_from_slice(&message[count..]),
                Err(error) if error.kind() == ErrorKind::WouldBlock => self.unsent.extend_from_slice(message),
                Err(_) => return false,
            },
        }
        self.flush()
    }

    pub(super) fn flush(&mut self) -> bool {
        if let Some(tls) = &mut self.tls {
            while tls.wants_write() {
                match tls.write_tls(&mut self.stream) {
                    Ok(_) => {}
                    Err(error) => return error.kind() == ErrorKind::WouldBlock,
                }
            }
        }
        while !self.unsent.is_empty() {
            match self.stream.write(&self.unsent) {
                Ok(count) => drop(self.unsent.drain(..count)),
                Err(error) => return error.kind() == ErrorKind::WouldBlock,
            }
        }
        true
    }

    /// The status of an answer, once all of it is there.
    pub(super) fn hear(&mut self, buffer: &mut [u8]) -> Result<Option<u16>, String> {
        let mut closed = false;
        loop {
            let count = match read(&mut self.stream, self.tls.as_mut(), buffer)? {
                Some(0) => {
                    closed = true;
                    0
                }
                Some(count) => count,
                None => 0,
            };
            if self.came.is_empty()
                && let Some(Frame { status, length }) = Frame::of(&buffer[..count])
                && length == count
            {
                self.waiting = false;
                return Ok(Some(status));
            }
            self.came.extend_from_slice(&buffer[..count]);
            if let Some(Frame { status, length }) = Frame::of(&self.came)
                && self.came.len() >= length
            {
                self.came.drain(..length);
                self.waiting = false;
                return Ok(Some(status));
            }
            match (closed, count) {
                (true, _) if self.waiting => return Err("the contender closed a connection".to_owned()),
                (true, _) | (false, 0) => return Ok(None),
                _ => {}
            }
        }
    }
}

/// Reads once. `None` where there is nothing yet, zero at the end.
fn read(
    stream: &mut TcpStream,
    tls: Option<&mut ClientConnection>,
    buffer: &mut [u8],
) -> Result<Option<usize>, String> {
    let blocked = |error: std::io::Error| match error.kind() {
        ErrorKind::WouldBlock => Ok(None),
        _ => Err(error.to_string()),
    };
    let Some(tls) = tls else { return stream.read(buffer).map_or_else(blocked, |count| Ok(Some(count))) };
    let ended = match tls.read_tls(stream) {
        Ok(count) => count == 0,
        Err(error) if error.kind() == ErrorKind::WouldBlock => false,
        Err(error) => return Err(error.to_string()),
    };
    tls.process_new_packets().map_err(|e| e.to_string())?;
    while tls.wants_write() && tls.write_tls(stream).is_ok() {}
    if ended {
        return Ok(Some(0));
    }
    tls.reader().read(buffer).map_or_else(blocked, |count| Ok(Some(count)))
}
