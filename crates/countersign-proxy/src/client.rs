//! A client that sends what was signed: one request at a time, on connections of their own.

use bytes::Bytes;
use countersign::{Code, Origin};
use http::{HeaderMap, Request, Response};
use http_body_util::BodyExt;

use crate::client_certificate::ClientCertificate;
use crate::fault::Fault;
use crate::sent::Sent;
use crate::settings::{Limits, Protocol};
use crate::tls;
use crate::upstream::{Destination, Pool, Relay, Upstreams};

/// Sends requests to one host, over HTTP or HTTPS, there in HTTP/2 where that is agreed upon.
pub struct Client {
    to: Destination,
    upstreams: Upstreams,
    limits: Limits,
}

/// Why there is no answer, in words for whoever asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ClientError {
    /// No connection can be tried: the host has no name for a certificate, or nobody is trusted.
    #[error("{0}")]
    Unusable(String),
    /// There was no connection, or it broke off.
    #[error("{0}")]
    Failed(String),
    /// The answer did not come in time.
    #[error("{0}")]
    TimedOut(String),
}

impl Client {
    /// A client for this host. Of `limits`, those towards an upstream count.
    ///
    /// # Errors
    /// [`ClientError::Unusable`].
    pub fn new(to: &Origin, limits: Limits) -> Result<Self, ClientError> {
        let to = Destination::new(to, tls::client).map_err(ClientError::Unusable)?.speaking(Protocol::Agreed);
        Ok(Self { to, upstreams: Upstreams::new(Pool::default()), limits })
    }

    /// The same, where this certificate is shown if it is asked for.
    #[must_use]
    pub fn showing(self, certificate: ClientCertificate) -> Self {
        Self { to: self.to.showing(Some(certificate)), ..self }
    }

    /// Sends a request as it stands: its URI is path and query, and its headers are all that goes out, `Host` included.
    /// Nothing is followed, and nothing is sent twice.
    ///
    /// # Errors
    /// [`ClientError`] where no answer comes.
    pub async fn send(&self, request: Request<Bytes>) -> Result<Response<Answer>, ClientError> {
        let request = request.map(|body| Sent::Kept(body, HeaderMap::new()));
        let answer = self.upstreams.send_anew(request, &self.to, &self.limits).await;
        answer.map(|response| response.map(Answer)).map_err(|fault| {
            let reason = fault.reason().into_owned();
            match fault {
                Fault::Upstream(Code::UpstreamTimeout, _) => ClientError::TimedOut(reason),
                _ => ClientError::Failed(reason),
            }
        })
    }
}

/// The body of an answer.
pub struct Answer(Relay);

impl Answer {
    /// Its next part; `None` at its end.
    ///
    /// # Errors
    /// [`ClientError::Failed`] where it breaks off.
    pub async fn next(&mut self) -> Result<Option<Bytes>, ClientError> {
        while let Some(frame) = self.0.frame().await {
            let frame = frame.map_err(|error| ClientError::Failed(format!("the answer broke off: {error}")))?;
            if let Ok(bytes) = frame.into_data() {
                return Ok(Some(bytes));
            }
        }
        Ok(None)
    }
}
