use std::io;
use std::sync::Arc;

use countersign::Origin;
use http::Version;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::client_certificate::ClientCertificate;
use crate::connection::Stream;
use crate::settings::Protocol;

/// Where requests go: a host, and how it is spoken to.
#[derive(Clone, Debug)]
pub(crate) struct Destination {
    /// Scheme, host and port: of two that are alike connections are shared.
    name: String,
    /// Host and port, to connect to.
    address: String,
    tls: Option<(ServerName<'static>, Arc<ClientConfig>)>,
    protocol: Protocol,
    certificate: Option<ClientCertificate>,
}

impl Destination {
    /// `trusted` says whom to believe where the origin is `https`.
    ///
    /// # Errors
    /// In words where whom the system trusts can't be read, or the host has no name for a certificate.
    pub(crate) fn new(
        origin: &Origin,
        trusted: impl FnOnce() -> Result<Arc<ClientConfig>, String>,
    ) -> Result<Self, String> {
        let https = origin.scheme() == "https";
        let address = with_port(origin.authority(), if https { 443 } else { 80 });
        let host = address.rsplit_once(':').map_or(address.as_str(), |(host, _)| host);
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let tls = if https {
            let name = ServerName::try_from(host.to_owned()).map_err(|fault| format!("{host}: {fault}"))?;
            Some((name, trusted()?))
        } else {
            None
        };
        Ok(Self {
            name: format!("{}://{address}", origin.scheme()),
            address,
            tls,
            protocol: Protocol::Http1,
            certificate: None,
        })
    }

    /// The same, spoken to otherwise than in HTTP/1.1 alone.
    pub(crate) fn speaking(mut self, protocol: Protocol) -> Self {
        if let Some((_, config)) = &mut self.tls {
            let mut own = ClientConfig::clone(config);
            own.alpn_protocols = match protocol {
                Protocol::Agreed => vec![H2.to_vec(), b"http/1.1".to_vec()],
                Protocol::Http1 => vec![b"http/1.1".to_vec()],
                Protocol::Http2 => vec![H2.to_vec()],
            };
            *config = Arc::new(own);
        }
        self.protocol = protocol;
        self
    }

    /// The same, where this certificate is shown if it is asked for. Over TLS only: in the clear nobody asks.
    pub(crate) fn showing(mut self, certificate: Option<ClientCertificate>) -> Self {
        if let (Some((_, config)), Some(certificate)) = (&mut self.tls, &certificate) {
            *config = Arc::new(certificate.shown_by(config));
        }
        self.certificate = certificate;
        self
    }

    /// As who we are known there: what began as another is not used again.
    pub(super) fn identity(&self) -> u64 {
        self.certificate.as_ref().map_or(0, ClientCertificate::turn)
    }

    /// Its name, under which connections to it are kept.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Whether it is spoken to over TLS.
    pub(super) fn is_https(&self) -> bool {
        self.tls.is_some()
    }

    /// A connection to it, and which HTTP is spoken there.
    pub(super) async fn connect(&self) -> io::Result<(Box<dyn Stream>, Version)> {
        let stream = TcpStream::connect(&self.address).await?;
        stream.set_nodelay(true)?;
        let Some((name, config)) = &self.tls else {
            // RFC 9113 §3.3: in the clear nothing is agreed upon, HTTP/2 is known before or not spoken.
            let version = if self.protocol == Protocol::Http2 { Version::HTTP_2 } else { Version::HTTP_11 };
            return Ok((Box::new(stream), version));
        };
        let stream = TlsConnector::from(Arc::clone(config)).connect(name.clone(), stream).await?;
        let agreed = stream.get_ref().1.alpn_protocol() == Some(H2);
        if !agreed && self.protocol == Protocol::Http2 {
            return Err(io::Error::new(io::ErrorKind::Unsupported, "it speaks no HTTP/2"));
        }
        Ok((Box::new(stream), if agreed { Version::HTTP_2 } else { Version::HTTP_11 }))
    }
}

/// RFC 9113 §3.2.
const H2: &[u8] = b"h2";

/// The authority with its port, which an origin leaves out where it is the default.
fn with_port(authority: &str, default: u16) -> String {
    let port = authority.rfind(':').is_some_and(|at| !authority[at..].contains(']'));
    if port { authority.to_owned() } else { format!("{authority}:{default}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_destination_without_port_is_at_the_default_one() {
        assert_eq!(with_port("api", 80), "api:80");
        assert_eq!(with_port("[::1]", 443), "[::1]:443");
        assert_eq!(with_port("[::1]:8080", 80), "[::1]:8080");
    }
}
