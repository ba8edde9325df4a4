use std::convert::Infallible;
use std::future::Future;
use std::net::IpAddr;
use std::pin::Pin;

use http::{Request, Response};
use hyper::body::Incoming;

use crate::framing::Fault;
use crate::reply::Reply;
use crate::settings::Limits;

/// An answer on its way.
pub(crate) type Answering = Pin<Box<dyn Future<Output = Result<Response<Reply>, Infallible>> + Send>>;

/// Who stands behind a connection: a gateway, or a sidecar.
pub(crate) trait Front: Clone + Send + Unpin + 'static {
    /// What goes for a connection that is opened now.
    fn limits(&self) -> Limits;

    /// A connection was opened, or by a negative number closed.
    fn connections(&self, change: i64);

    /// Answers one request. `peer` is `None` where the caller has no address.
    fn answer(&self, peer: Option<IpAddr>, request: Request<Incoming>) -> Answering;

    /// The whole answer to what is not HTTP, after which the connection is closed.
    fn refuse(&self, fault: Fault) -> String;
}
