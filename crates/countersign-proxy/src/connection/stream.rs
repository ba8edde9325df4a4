use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite, Join};
use tokio::net::{TcpStream, UnixStream};

/// A stream of bytes to and from a caller, or to and from an upstream.
pub(crate) trait Stream: AsyncRead + AsyncWrite + Unpin + Send + 'static {
    /// Sees to it that its end, however it comes about, does not look like an end in order, or that it may again. Where a
    /// transport has no such thing, nothing is done.
    fn end_by_reset(&self, _: bool) {}
}

impl Stream for TcpStream {
    fn end_by_reset(&self, resets: bool) {
        // Without time to linger what is not sent yet is dropped, and the other side is told by RST and not by FIN.
        let _ = SockRef::from(self).set_linger(resets.then_some(std::time::Duration::ZERO));
    }
}

/// A local one: there is no other end than an orderly one.
impl Stream for UnixStream {}

/// An end that was cut off lacks the `close_notify` of one in order; not everybody asks for that.
impl Stream for tokio_rustls::server::TlsStream<TcpStream> {
    fn end_by_reset(&self, resets: bool) {
        self.get_ref().0.end_by_reset(resets);
    }
}

impl Stream for tokio_rustls::client::TlsStream<TcpStream> {}

impl Stream for Box<dyn Stream> {
    fn end_by_reset(&self, resets: bool) {
        (**self).end_by_reset(resets);
    }
}

impl<R, W> Stream for Join<R, W>
where
    R: AsyncRead + Unpin + Send + 'static,
    W: AsyncWrite + Unpin + Send + 'static,
{
}

#[cfg(any(test, feature = "fuzz"))]
impl Stream for tokio::io::DuplexStream {}
