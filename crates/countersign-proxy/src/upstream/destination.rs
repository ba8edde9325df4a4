use std::io;
use std::sync::Arc;

use countersign::Origin;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::connection::Stream;

/// Where requests go: a host, and how it is spoken to.
#[derive(Clone, Debug)]
pub(crate) struct Destination {
    /// Scheme, host and port: of two that are alike connections are shared.
    name: String,
    /// Host and port, to connect to.
    address: String,
    tls: Option<(ServerName<'static>, Arc<ClientConfig>)>,
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
        Ok(Self { name: format!("{}://{address}", origin.scheme()), address, tls })
    }

    /// Its name, under which connections to it are kept.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// A connection to it.
    pub(super) async fn connect(&self) -> io::Result<Box<dyn Stream>> {
        let stream = TcpStream::connect(&self.address).await?;
        stream.set_nodelay(true)?;
        Ok(match &self.tls {
            None => Box::new(stream),
            Some((name, config)) => {
                Box::new(TlsConnector::from(Arc::clone(config)).connect(name.clone(), stream).await?)
            }
        })
    }
}

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
