//! Another protocol on the same connection (RFC 9110 §7.8), WebSocket mostly: asked for by a request that is verified like any
//! other, granted by the upstream's 101, and from then on a tunnel in which nothing is looked at.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use countersign::{Code, Rejection};
use http::{HeaderMap, HeaderName, HeaderValue, Response, Version, header};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, split};
use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until};

use crate::connection::Stream;
use crate::framing::is_token;
use crate::headers::Connection;

/// The protocol that a request asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Upgrade(HeaderValue);

impl Upgrade {
    /// What is asked for. None where it is asked for in another way than RFC 9110 says, and where it is another HTTP or TLS: that
    /// would take all that follows away from those who have to judge it. Then the field ends here, as each hop's does.
    ///
    /// # Errors
    /// `malformed` for a request with a body: readers differ on which protocol it is in.
    pub(crate) fn asked(version: Version, headers: &HeaderMap, has_body: bool) -> Result<Option<Self>, Rejection> {
        let mut protocols = headers.get_all(header::UPGRADE).iter();
        let (Some(protocol), None) = (protocols.next(), protocols.next()) else { return Ok(None) };
        // "A server MUST ignore an Upgrade header field that is received in an HTTP/1.0 request."
        if version != Version::HTTP_11 || !Connection::of(headers).has("upgrade") || !is_protocol(protocol.as_bytes()) {
            return Ok(None);
        }
        if has_body {
            return Err(Rejection::new(Code::Malformed, "a request for an upgrade with a body"));
        }
        Ok(Some(Self(protocol.clone())))
    }

    /// Asks the next hop for it.
    pub(crate) fn ask(&self, mut field: impl FnMut(&HeaderName, &HeaderValue)) {
        field(&header::CONNECTION, &HeaderValue::from_static("upgrade"));
        field(&header::UPGRADE, &self.0);
    }

    /// Whether this answer, a 101, grants just that.
    pub(crate) fn is_granted(&self, headers: &HeaderMap) -> bool {
        let mut granted = headers.get_all(header::UPGRADE).iter();
        let same = granted.next().is_some_and(|protocol| protocol.as_bytes().eq_ignore_ascii_case(self.0.as_bytes()));
        same && granted.next().is_none()
    }
}

/// One protocol, `name` or `name/version`, and not one of those.
fn is_protocol(protocol: &[u8]) -> bool {
    let mut parts = protocol.split(|byte| *byte == b'/');
    let name = parts.next().unwrap_or_default().to_ascii_lowercase();
    let forms = parts.all(|version| !version.is_empty() && version.iter().all(|byte| is_token(*byte)));
    let ours = matches!(&name[..], b"h2c" | b"h2" | b"http" | b"tls");
    !name.is_empty() && name.iter().all(|byte| is_token(*byte)) && forms && !ours
}

/// The way to the upstream once it has switched. It travels beside the answer to whoever owns the caller's connection.
#[derive(Clone)]
pub(crate) struct Tunnel {
    upgrade: Upgrade,
    far: Arc<Mutex<Option<Box<dyn Stream>>>>,
    holds: Option<Arc<dyn Fn() -> bool + Send + Sync>>,
}

impl Tunnel {
    pub(crate) fn new(upgrade: Upgrade, far: Box<dyn Stream>) -> Self {
        Self { upgrade, far: Arc::new(Mutex::new(Some(far))), holds: None }
    }

    /// Puts the fields of this hop on the answer that grants it.
    pub(crate) fn grant(response: &mut Response<impl Sized>) {
        if let Some(tunnel) = response.extensions().get::<Self>().cloned() {
            let headers = response.headers_mut();
            tunnel.upgrade.ask(|name, value| drop(headers.insert(name, value.clone())));
        }
    }

    /// Lets the tunnel of an answer live only while what it was granted for `holds`, which is asked several times a second.
    pub(crate) fn bind(response: &mut Response<impl Sized>, holds: impl Fn() -> bool + Send + Sync + 'static) {
        if let Some(tunnel) = response.extensions_mut().get_mut::<Self>() {
            tunnel.holds = Some(Arc::new(holds));
        }
    }

    /// Carries bytes both ways until both sides have ended, one breaks off, nothing moved for `idle`, or what it was granted for
    /// does not hold any more.
    pub(crate) async fn carry(self, near: impl Stream, idle: Duration) {
        let far = self.far.lock().unwrap_or_else(PoisonError::into_inner).take();
        let withdrawn = async {
            while self.holds.as_ref().is_none_or(|holds| holds()) {
                sleep(LOOK).await;
            }
        };
        if let Some(far) = far {
            tokio::select! {
                () = both_ways(near, far, idle) => {}
                () = withdrawn => {}
            }
        }
    }
}

async fn both_ways(near: impl AsyncRead + AsyncWrite, far: impl AsyncRead + AsyncWrite, idle: Duration) {
    let moved = watch::Sender::new(Instant::now());
    let ((near_read, near_write), (far_read, far_write)) = (split(near), split(far));
    let silence = async {
        loop {
            let since = *moved.borrow();
            sleep_until(since + idle).await;
            if *moved.borrow() == since {
                break;
            }
        }
    };
    tokio::select! {
        // Whether it ended in order is the affair of the two.
        _ = async { tokio::try_join!(one_way(near_read, far_write, &moved), one_way(far_read, near_write, &moved)) } => {}
        () = silence => {}
    }
}

async fn one_way(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    moved: &watch::Sender<Instant>,
) -> std::io::Result<()> {
    let mut buffer = vec![0; BUFFER];
    loop {
        let count = from.read(&mut buffer).await?;
        if count == 0 {
            return to.shutdown().await;
        }
        moved.send_replace(Instant::now());
        to.write_all(&buffer[..count]).await?;
        to.flush().await?;
        moved.send_replace(Instant::now());
    }
}

/// How often it is asked whether a tunnel may go on: a key that is revoked has to stop working within a second.
const LOOK: Duration = Duration::from_millis(250);

/// Of one direction; what is not taken waits with its sender.
const BUFFER: usize = 16 << 10;

#[cfg(test)]
mod tests {
    use http::HeaderName;
    use tokio::io::duplex;

    use super::*;

    fn asked(
        version: Version,
        fields: &[(&'static str, &'static str)],
        has_body: bool,
    ) -> Result<Option<String>, Code> {
        let headers =
            fields.iter().map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)));
        let asked = Upgrade::asked(version, &headers.collect(), has_body);
        asked.map(|upgrade| upgrade.map(|it| it.0.to_str().unwrap().to_owned())).map_err(|fault| fault.code())
    }

    #[test]
    fn one_protocol_is_asked_for_or_none() {
        let with = |protocol| [("connection", "keep-alive, Upgrade"), ("upgrade", protocol)];
        for protocol in ["websocket", "WebSocket", "tcp", "SPDY/3.1"] {
            assert_eq!(asked(Version::HTTP_11, &with(protocol), false), Ok(Some(protocol.to_owned())));
            assert_eq!(asked(Version::HTTP_11, &with(protocol), true), Err(Code::Malformed));
            assert_eq!(asked(Version::HTTP_10, &with(protocol), false), Ok(None));
        }
        for protocol in ["h2c", "H2C", "HTTP/2.0", "TLS/1.2", "websocket, h2c", "", "web socket", "/1", "a/"] {
            assert_eq!(asked(Version::HTTP_11, &with(protocol), false), Ok(None), "{protocol}");
        }
        let twice = [("connection", "upgrade"), ("upgrade", "websocket"), ("upgrade", "websocket")];
        assert_eq!(asked(Version::HTTP_11, &twice, false), Ok(None));
        assert_eq!(asked(Version::HTTP_11, &[("upgrade", "websocket")], false), Ok(None));
        assert_eq!(asked(Version::HTTP_11, &[("connection", "upgrade")], false), Ok(None));
    }

    #[tokio::test]
    async fn a_tunnel_in_which_nothing_moves_ends_and_one_that_is_used_does_not() {
        let ((mut caller, near), (far, mut upstream)) = (duplex(64), duplex(64));
        let idle = Duration::from_secs(1);
        let carried = tokio::spawn(both_ways(near, far, idle));
        let mut byte = [0];
        for _ in 0..5 {
            tokio::time::sleep(idle / 3).await;
            caller.write_all(b"x").await.unwrap();
            upstream.read_exact(&mut byte).await.unwrap();
        }
        let started = Instant::now();
        carried.await.unwrap();
        assert!(started.elapsed() >= idle / 2 && started.elapsed() < idle * 20);
        // A side that takes nothing is no movement, however much the other sends.
        let ((mut caller, near), (far, _upstream)) = (duplex(64), duplex(64));
        let carried = tokio::spawn(both_ways(near, far, idle));
        let flood = tokio::spawn(async move { while caller.write_all(&[0; 64]).await.is_ok() {} });
        tokio::time::timeout(idle * 20, carried).await.unwrap().unwrap();
        flood.await.unwrap();
    }

    #[tokio::test]
    async fn a_side_that_ends_is_told_to_the_other_which_may_go_on() {
        let ((mut caller, near), (far, mut upstream)) = (duplex(64), duplex(64));
        let carried = tokio::spawn(both_ways(near, far, Duration::from_secs(5)));
        caller.write_all(b"last").await.unwrap();
        caller.shutdown().await.unwrap();
        let mut heard = Vec::new();
        upstream.read_to_end(&mut heard).await.unwrap();
        assert_eq!(heard, b"last");
        upstream.write_all(b"answer").await.unwrap();
        drop(upstream);
        caller.read_to_end(&mut heard).await.unwrap();
        assert_eq!(heard, b"lastanswer");
        carried.await.unwrap();
    }
}
