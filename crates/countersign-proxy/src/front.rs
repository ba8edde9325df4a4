use std::future::Future;
use std::net::IpAddr;

use http::Response;

use crate::arrival::Opening;
use crate::deciding::Undecided;
use crate::framing::Fault;
use crate::reply::Reply;
use crate::settings::Limits;

/// Which HTTP a connection speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Spoken {
    /// HTTP/2 where the caller begins with its preface, else HTTP/1.1.
    Either,
    /// HTTP/1.1, as was agreed on in a handshake.
    Http1,
    /// HTTP/2, as was agreed on in a handshake.
    Http2,
}

/// Who stands behind a connection: a gateway, or a sidecar.
pub(crate) trait Front: Clone + Send + Unpin + 'static {
    /// What goes for a connection that is opened now.
    fn limits(&self) -> Limits;

    /// A connection was opened, or by a negative number closed.
    fn connections(&self, change: i64);

    /// What counts, as long as it is held, that a request may still begin on this connection.
    fn listening(&self) -> Option<Undecided> {
        None
    }

    /// Which HTTP is spoken.
    fn spoken(&self) -> Spoken {
        Spoken::Either
    }

    /// Whether nothing more is to be heard on this connection once it is answered.
    fn is_over(&self) -> bool {
        false
    }

    /// Answers one request. `peer` is `None` where the caller has no address.
    fn answer(self, peer: Option<IpAddr>, opening: Opening)
    -> impl Future<Output = Response<Reply>> + Send + use<Self>;

    /// The whole answer to what is not HTTP, after which the connection is closed.
    fn refuse(&self, fault: Fault) -> String;
}
