//! HTTP/2 frame by frame, for what no client library would send.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::signer::Message;
use crate::stage::Stage;

pub(crate) const DATA: u8 = 0;
pub(crate) const HEADERS: u8 = 1;
pub(crate) const PRIORITY: u8 = 2;
pub(crate) const RST_STREAM: u8 = 3;
pub(crate) const SETTINGS: u8 = 4;
pub(crate) const PUSH_PROMISE: u8 = 5;
pub(crate) const PING: u8 = 6;
pub(crate) const GOAWAY: u8 = 7;
pub(crate) const WINDOW_UPDATE: u8 = 8;
pub(crate) const CONTINUATION: u8 = 9;

pub(crate) const END_STREAM: u8 = 1;
pub(crate) const ACK: u8 = 1;
pub(crate) const END_HEADERS: u8 = 4;
pub(crate) const PADDED: u8 = 8;

/// RFC 9113 §7.
pub(crate) const PROTOCOL_ERROR: u32 = 1;
pub(crate) const FLOW_CONTROL_ERROR: u32 = 3;
pub(crate) const STREAM_CLOSED: u32 = 5;
pub(crate) const FRAME_SIZE_ERROR: u32 = 6;
pub(crate) const COMPRESSION_ERROR: u32 = 9;

pub(crate) fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// A header block, each field a literal without indexing (RFC 7541 §6.2.2), no Huffman code.
pub(crate) fn block(fields: &[(String, String)]) -> Vec<u8> {
    let mut block = Vec::new();
    for (name, value) in fields {
        block.push(0);
        for text in [name, value] {
            number(&mut block, text.len());
            block.extend_from_slice(text.as_bytes());
        }
    }
    block
}

/// RFC 7541 §5.1, with a prefix of 7 bits.
fn number(block: &mut Vec<u8>, mut number: usize) {
    if number < 127 {
        block.push(u8::try_from(number).unwrap());
        return;
    }
    block.push(127);
    number -= 127;
    while number >= 128 {
        block.push(u8::try_from(number % 128).unwrap() | 128);
        number /= 128;
    }
    block.push(u8::try_from(number).unwrap());
}

/// The fields of a signed message, pseudo-headers first.
pub(crate) async fn fields(message: &Message) -> Vec<(String, String)> {
    let signed = message.sign().await;
    let pseudo = [
        (":method", &*message.method),
        (":scheme", "http"),
        (":authority", &*message.host),
        (":path", &*message.target),
    ];
    let pseudo = pseudo.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let others = signed.fields.iter().map(|(name, value)| (name.to_ascii_lowercase(), value.clone()));
    pseudo.into_iter().chain(others.filter(|(name, _)| name != "host")).collect()
}

/// What came of a stream, or of the connection.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum End {
    Status(u16),
    Reset(u32),
    /// GOAWAY with an error, or the end of the connection.
    Closed(Option<u32>),
}

impl End {
    pub(crate) fn is_refusal(&self) -> bool {
        !matches!(self, End::Status(200))
    }
}

pub(crate) struct Connection {
    pub(crate) stream: TcpStream,
}

impl Connection {
    /// With an empty SETTINGS of ours sent.
    pub(crate) async fn open(stage: &Stage) -> Self {
        Self::with(stage, &[]).await
    }

    pub(crate) async fn with(stage: &Stage, settings: &[u8]) -> Self {
        let mut stream = TcpStream::connect(stage.address).await.unwrap();
        let hello = [&b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"[..], &frame(SETTINGS, 0, 0, settings)].concat();
        stream.write_all(&hello).await.unwrap();
        Self { stream }
    }

    /// The other side may have closed it already.
    pub(crate) async fn send(&mut self, frames: &[Vec<u8>]) {
        let _ = self.stream.write_all(&frames.concat()).await;
    }

    /// The next frame: kind, flags, stream, payload. `None` at the end.
    pub(crate) async fn next(&mut self) -> Option<(u8, u8, u32, Vec<u8>)> {
        let mut head = [0; 9];
        let read = timeout(Duration::from_secs(30), self.stream.read_exact(&mut head));
        read.await.expect("nothing comes, and the connection stays open").ok()?;
        let mut payload = vec![0; u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize];
        self.stream.read_exact(&mut payload).await.ok()?;
        let stream = u32::from_be_bytes([head[5], head[6], head[7], head[8]]) & (u32::MAX >> 1);
        Some((head[3], head[4], stream, payload))
    }

    /// What comes of a stream.
    pub(crate) async fn end_of(&mut self, stream: u32) -> End {
        let code = |payload: &[u8], at: usize| u32::from_be_bytes(payload[at..at + 4].try_into().unwrap());
        while let Some((kind, _, on, payload)) = self.next().await {
            match kind {
                HEADERS if on == stream => return End::Status(status(&payload)),
                RST_STREAM if on == stream => return End::Reset(code(&payload, 0)),
                GOAWAY if code(&payload, 4) != 0 => return End::Closed(Some(code(&payload, 4))),
                _ => {}
            }
        }
        End::Closed(None)
    }
}

/// The `:status` of the first answer on a connection: an entry of the static table, or a literal of its 8th name, the digits
/// in Huffman code or not.
fn status(block: &[u8]) -> u16 {
    match block {
        [0x88, ..] => 200,
        [0x89, ..] => 204,
        [0x8c, ..] => 400,
        [0x8d, ..] => 404,
        [0x8e, ..] => 500,
        [0x48 | 0x08, length, rest @ ..] if length & 0x80 == 0 => {
            std::str::from_utf8(&rest[..usize::from(*length)]).unwrap().parse().unwrap()
        }
        [0x48 | 0x08, _, a, b, ..] => {
            // RFC 7541 appendix B: 0 to 2 in five bits, the other digits in six.
            let (mut bits, mut left, mut status) = (u16::from_be_bytes([*a, *b]), 3, 0);
            while left > 0 {
                let (digit, width) = if bits >> 11 < 3 { (bits >> 11, 5) } else { ((bits >> 10) - 0b01_1001 + 3, 6) };
                (status, bits, left) = (status * 10 + digit, bits << width, left - 1);
            }
            status
        }
        _ => panic!("no status: {block:x?}"),
    }
}

pub(crate) type Fields = Vec<(String, String)>;

pub(crate) async fn get(stage: &Stage) -> Fields {
    fields(&stage.partner.get("/orders")).await
}

pub(crate) async fn post(stage: &Stage) -> Fields {
    fields(&stage.partner.post("/orders", "abc")).await
}

/// What comes of a request whose head ends the stream.
pub(crate) async fn asked(stage: &Stage, fields: &Fields) -> End {
    let mut connection = Connection::open(stage).await;
    connection.send(&[frame(HEADERS, END_STREAM | END_HEADERS, 1, &block(fields))]).await;
    connection.end_of(1).await
}
