//! The PROXY protocol, versions 1 and 2: in front of everything else on a connection, a proxy says whom it speaks for.
//! <https://www.haproxy.org/download/3.0/doc/proxy-protocol.txt>

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::time::timeout;

/// Reads the header and not a byte more: who calls, or `None` where the proxy speaks for itself, or for an address that is
/// none of IP.
///
/// # Errors
/// For what is no such header, or has not come within `limit`. §2: the receiver "must not guess" and closes the connection.
pub(crate) async fn read(stream: &mut (impl AsyncRead + Unpin), limit: Duration) -> io::Result<Option<IpAddr>> {
    match timeout(limit, header(stream)).await {
        Ok(read) => read,
        Err(_) => Err(io::Error::new(io::ErrorKind::TimedOut, "it did not come in time")),
    }
}

async fn header(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<Option<IpAddr>> {
    // Both versions are longer than this.
    let mut first = [0; SIGNATURE.len()];
    stream.read_exact(&mut first).await?;
    if &first == SIGNATURE {
        return version_2(stream).await;
    }
    if !first.starts_with(b"PROXY ") {
        return Err(bad("there is none"));
    }
    let mut line = first.to_vec();
    // Byte by byte, since what follows is not ours.
    while !line.ends_with(b"\r\n") {
        if line.len() == LONGEST_LINE {
            return Err(bad("a line of more than 107 bytes"));
        }
        line.push(stream.read_u8().await?);
    }
    version_1(&line[..line.len() - 2])
}

/// `PROXY TCP4 192.0.2.1 192.0.2.7 56324 443`, each blank one space.
fn version_1(line: &[u8]) -> io::Result<Option<IpAddr>> {
    let line = std::str::from_utf8(line).map_err(|_| bad("bytes that are not ASCII"))?;
    let mut words = line.split(' ').skip(1);
    let (family, rest) = (words.next().unwrap_or_default(), words);
    let words: Vec<&str> = rest.collect();
    match (family, &words[..]) {
        // "the receiver must ignore anything presented before the CRLF is found".
        ("UNKNOWN", _) => Ok(None),
        ("TCP4", [source, destination, ports @ ..]) => {
            addresses::<Ipv4Addr>(source, destination, ports).map(|source| Some(source.into()))
        }
        ("TCP6", [source, destination, ports @ ..]) => {
            addresses::<Ipv6Addr>(source, destination, ports).map(|source| Some(source.into()))
        }
        _ => Err(bad("not TCP4, TCP6 or UNKNOWN with two addresses")),
    }
}

fn addresses<A: std::str::FromStr>(source: &str, destination: &str, ports: &[&str]) -> io::Result<A> {
    // §2.1: "a decimal number … with no leading zero".
    let port = |text: &&str| {
        text.bytes().all(|byte| byte.is_ascii_digit())
            && (*text == "0" || !text.starts_with('0'))
            && text.parse::<u16>().is_ok()
    };
    match (source.parse(), destination.parse::<A>()) {
        (Ok(source), Ok(_)) if ports.len() == 2 && ports.iter().all(port) => Ok(source),
        _ => Err(bad("addresses or ports that are none")),
    }
}

async fn version_2(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<Option<IpAddr>> {
    let [version, family] = [stream.read_u8().await?, stream.read_u8().await?];
    let length = usize::from(stream.read_u16().await?);
    if length > LONGEST_BLOCK {
        return Err(bad("more than 4 KiB of it"));
    }
    let mut block = vec![0; length];
    stream.read_exact(&mut block).await?;
    match (version, family) {
        // LOCAL: "the connection was established on purpose by the proxy without being relayed".
        (0x20, _) => Ok(None),
        (0x21, 0x11) => match block.get(..12) {
            Some(&[a, b, c, d, ..]) => Ok(Some(Ipv4Addr::new(a, b, c, d).into())),
            _ => Err(bad("too short for IPv4")),
        },
        (0x21, 0x21) => match block.get(..36).and_then(|block| block.first_chunk::<16>()) {
            Some(source) => Ok(Some(Ipv6Addr::from_octets(*source).into())),
            None => Err(bad("too short for IPv6")),
        },
        // UNSPEC, datagrams and Unix sockets: "the receiver should … use the real connection endpoints".
        (0x21, 0x00 | 0x12 | 0x22 | 0x31 | 0x32) => Ok(None),
        (0x21, _) => Err(bad("an address family that does not exist")),
        _ => Err(bad("neither version 2 LOCAL nor PROXY")),
    }
}

fn bad(why: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why)
}

const SIGNATURE: &[u8; 12] = b"\r\n\r\n\0\r\nQUIT\n";
/// With its line end.
const LONGEST_LINE: usize = 107;
/// Addresses and what a proxy adds to them: names and certificates are short.
const LONGEST_BLOCK: usize = 4 << 10;

#[cfg(test)]
mod tests {
    use super::*;

    /// What is read of it, and what is left.
    async fn told(bytes: &[u8]) -> (Result<Option<String>, String>, usize) {
        let mut rest = bytes;
        let told = read(&mut rest, Duration::from_millis(50)).await;
        (told.map(|told| told.map(|ip| ip.to_string())).map_err(|e| e.to_string()), rest.len())
    }

    fn v2(version: u8, family: u8, block: &[u8]) -> Vec<u8> {
        let length = u16::try_from(block.len()).unwrap().to_be_bytes();
        [&SIGNATURE[..], &[version, family], &length, block].concat()
    }

    #[tokio::test]
    async fn who_calls_is_read_and_not_a_byte_more() {
        let ip = |text: &str| Ok(Some(text.to_owned()));
        let mut v6 = [0; 36];
        v6[..4].copy_from_slice(&[0x20, 0x01, 0x0d, 0xb8]);
        v6[15] = 7;
        for (header, expected) in [
            (b"PROXY TCP4 192.0.2.1 192.0.2.7 56324 443\r\n".to_vec(), ip("192.0.2.1")),
            (b"PROXY TCP6 2001:db8::1 2001:db8::2 1 0\r\n".to_vec(), ip("2001:db8::1")),
            (b"PROXY UNKNOWN\r\n".to_vec(), Ok(None)),
            (b"PROXY UNKNOWN whatever stands here\r\n".to_vec(), Ok(None)),
            (v2(0x21, 0x11, &[192, 0, 2, 1, 192, 0, 2, 7, 1, 2, 3, 4]), ip("192.0.2.1")),
            (v2(0x21, 0x11, &[&[192, 0, 2, 1, 192, 0, 2, 7, 1, 2, 3, 4][..], &[4, 0, 1, 9]].concat()), ip("192.0.2.1")),
            (v2(0x21, 0x21, &v6), ip("2001:db8::7")),
            (v2(0x20, 0x00, &[]), Ok(None)),
            (v2(0x20, 0x11, &[9; 12]), Ok(None)),
            (v2(0x21, 0x31, &[9; 216]), Ok(None)),
        ] {
            let bytes = [&header[..], b"GET / HTTP/1.1\r\n"].concat();
            assert_eq!(told(&bytes).await, (expected, 16), "{}", String::from_utf8_lossy(&header));
        }
    }

    #[tokio::test]
    async fn what_is_no_proxy_header_is_not_guessed() {
        let long = format!("PROXY UNKNOWN {}\r\n", "x".repeat(100));
        for bytes in [
            b"GET / HTTP/1.1\r\nHost: a\r\n\r\n".to_vec(),
            b"PROXY TCP4 192.0.2.1 192.0.2.7 56324\r\n".to_vec(),
            b"PROXY TCP4 192.0.2.1 192.0.2.7 56324 443 1\r\n".to_vec(),
            b"PROXY TCP4  192.0.2.1 192.0.2.7 56324 443\r\n".to_vec(),
            b"PROXY TCP4 2001:db8::1 2001:db8::2 56324 443\r\n".to_vec(),
            b"PROXY TCP6 192.0.2.1 192.0.2.7 56324 443\r\n".to_vec(),
            b"PROXY TCP4 192.0.2.1 192.0.2.7 056324 443\r\n".to_vec(),
            b"PROXY TCP4 192.0.2.1 192.0.2.7 65536 443\r\n".to_vec(),
            b"PROXY TCP4 192.0.2.1 192.0.2.7 +1 443\r\n".to_vec(),
            b"PROXY UDP4 192.0.2.1 192.0.2.7 1 443\r\n".to_vec(),
            b"PROXY TCP4 192.0.2.1 192.0.2.7 1 443\n".to_vec(),
            b"proxy TCP4 192.0.2.1 192.0.2.7 1 443\r\n".to_vec(),
            b"PROXY TCP4 192.0.2.".to_vec(),
            long.into_bytes(),
            v2(0x11, 0x11, &[0; 12]),
            v2(0x22, 0x11, &[0; 12]),
            v2(0x21, 0x11, &[0; 11]),
            v2(0x21, 0x21, &[0; 35]),
            v2(0x21, 0x41, &[0; 36]),
            v2(0x21, 0x11, &[0; 5000]),
            v2(0x21, 0x11, &[0; 12])[..20].to_vec(),
            Vec::new(),
        ] {
            assert!(told(&bytes).await.0.is_err(), "{}", String::from_utf8_lossy(&bytes));
        }
    }

    #[tokio::test]
    async fn a_header_that_does_not_end_is_not_waited_for() {
        let (mut near, _far) = tokio::io::duplex(64);
        let fault = read(&mut near, Duration::from_millis(20)).await.unwrap_err();
        assert_eq!(fault.kind(), io::ErrorKind::TimedOut);
    }
}
