//! What trusted proxies say of a request: who called them, and by which host and scheme. RFC 7239, and the `X-Forwarded-*`
//! fields that most proxies write instead.

use std::net::{IpAddr, SocketAddr};

use countersign::{Code, Rejection};
use http::{HeaderMap, header};

use crate::caller::Trusted;

/// What is believed of a request beyond what it says itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Told {
    /// Where it comes from: the first address, counted from here, that is no trusted proxy.
    pub(crate) source: IpAddr,
    /// Whether the caller spoke TLS to the outermost trusted proxy.
    pub(crate) https: Option<bool>,
    /// The host that the caller asked there.
    pub(crate) host: Option<String>,
}

impl Told {
    /// Nothing but the address of who stands at the other end of the connection.
    pub(crate) fn by_nobody(source: IpAddr) -> Self {
        Self { source, https: None, host: None }
    }
}

/// Reads what stands in the headers of a request from `peer`; of one that is not trusted, nothing.
///
/// Each proxy adds its word at the end, so they are heard from there as long as the one that spoke is trusted: what a caller
/// wrote itself stands before, and is never reached.
///
/// # Errors
/// `malformed` for what can't be read, or where both kinds of field stand there and tell different things: a proxy that
/// writes one of them, and lets its callers write the other, would else be led by them.
pub(crate) fn read(headers: &HeaderMap, peer: IpAddr, trusted: &Trusted) -> Result<Told, Rejection> {
    if !trusted.believes(peer) {
        return Ok(Told::by_nobody(peer));
    }
    let standard = forwarded(headers)?.map(|hops| walk(&hops, peer, trusted));
    let legacy = x_forwarded(headers)?.map(|hops| walk(&hops, peer, trusted));
    match (standard, legacy) {
        (None, None) => Ok(Told::by_nobody(peer)),
        (Some(told), None) | (None, Some(told)) => Ok(told),
        (Some(one), Some(other)) => one.with(other),
    }
}

impl Told {
    fn with(self, other: Self) -> Result<Self, Rejection> {
        let same_host = match (&self.host, &other.host) {
            (Some(one), Some(other)) => one.eq_ignore_ascii_case(other),
            _ => true,
        };
        let same_scheme = self.https.is_none() || other.https.is_none() || self.https == other.https;
        if self.source != other.source || !same_host || !same_scheme {
            return Err(malformed("Forwarded and X-Forwarded-* tell different things"));
        }
        Ok(Self { source: self.source, https: self.https.or(other.https), host: self.host.or(other.host) })
    }
}

/// The word of one proxy.
#[derive(Debug, Default)]
struct Hop {
    /// `None` for one that is hidden or unknown.
    address: Option<IpAddr>,
    https: Option<bool>,
    host: Option<String>,
}

fn walk(hops: &[Hop], peer: IpAddr, trusted: &Trusted) -> Told {
    let mut told = Told::by_nobody(peer);
    for hop in hops.iter().rev() {
        if !trusted.believes(told.source) {
            break;
        }
        told.https = hop.https.or(told.https);
        told.host = hop.host.clone().or(told.host);
        match hop.address {
            Some(address) => told.source = address,
            None => break,
        }
    }
    told
}

/// RFC 7239 §4: `Forwarded: for=192.0.2.43;proto=https, for="[2001:db8::17]:4711"`.
fn forwarded(headers: &HeaderMap) -> Result<Option<Vec<Hop>>, Rejection> {
    if !headers.contains_key(header::FORWARDED) {
        return Ok(None);
    }
    let mut hops = Vec::new();
    for value in headers.get_all(header::FORWARDED) {
        let mut rest = value.to_str().map_err(|_| unreadable())?;
        let mut hop = Hop::default();
        let mut seen = [false; 3];
        loop {
            rest = rest.trim_start_matches(BLANK);
            if !rest.is_empty() && !rest.starts_with([';', ',']) {
                let (name, behind) = rest.split_once('=').ok_or_else(unreadable)?;
                let (value, behind) = value_of(behind)?;
                rest = behind.trim_start_matches(BLANK);
                // §4: "each parameter MUST NOT occur more than once per field-value".
                let mut once =
                    |at: usize| if std::mem::replace(&mut seen[at], true) { Err(unreadable()) } else { Ok(()) };
                match name.to_ascii_lowercase().as_str() {
                    "for" => once(0).and_then(|()| node(&value)).map(|address| hop.address = address)?,
                    "proto" => once(1).and_then(|()| scheme(&value)).map(|https| hop.https = Some(https))?,
                    "host" => once(2).map(|()| hop.host = Some(value.clone()))?,
                    name if !name.is_empty() && name.bytes().all(crate::framing::is_token) => {}
                    _ => return Err(unreadable()),
                }
            }
            let end = rest.is_empty();
            if end || rest.starts_with(',') {
                push(&mut hops, std::mem::take(&mut hop))?;
                seen = [false; 3];
            }
            if end {
                break;
            }
            rest = rest.strip_prefix([';', ',']).ok_or_else(unreadable)?;
        }
    }
    Ok(Some(hops))
}

/// A token or a quoted string, and what stands behind.
fn value_of(text: &str) -> Result<(String, &str), Rejection> {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.bytes().position(|byte| !crate::framing::is_token(byte)).unwrap_or(text.len());
        // A bare address with a port or of IPv6 should be quoted (§6), and often is not.
        let end =
            end.max(text.bytes().position(|byte| matches!(byte, b';' | b',' | b' ' | b'\t')).unwrap_or(text.len()));
        return Ok((text[..end].to_owned(), &text[end..]));
    };
    let mut value = String::new();
    let mut characters = quoted.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => return Ok((value, &quoted[at + 1..])),
            '\\' => value.push(characters.next().ok_or_else(unreadable)?.1),
            _ => value.push(character),
        }
    }
    Err(unreadable())
}

/// `None` where none of the three fields is there. Their lists are read side by side, from the end.
fn x_forwarded(headers: &HeaderMap) -> Result<Option<Vec<Hop>>, Rejection> {
    let [nodes, schemes, hosts] = ["x-forwarded-for", "x-forwarded-proto", "x-forwarded-host"].map(|name| {
        let values = headers.get_all(name).iter().map(|value| value.to_str().map_err(|_| unreadable()));
        let values = values.collect::<Result<Vec<_>, _>>()?;
        Ok::<_, Rejection>(values.into_iter().flat_map(|value| value.split(',')).map(str::trim).collect::<Vec<_>>())
    });
    let (nodes, schemes, hosts) = (nodes?, schemes?, hosts?);
    let count = nodes.len().max(schemes.len()).max(hosts.len());
    if count == 0 {
        return Ok(None);
    }
    let mut hops = Vec::new();
    for from_end in (1..=count).rev() {
        let one = |list: &[&str]| list.len().checked_sub(from_end).map(|at| list[at].to_owned());
        let hop = Hop {
            address: one(&nodes).map(|text| node(&text)).transpose()?.flatten(),
            https: one(&schemes).map(|text| scheme(&text)).transpose()?,
            host: one(&hosts),
        };
        push(&mut hops, hop)?;
    }
    Ok(Some(hops))
}

/// §6: an address with or without a port, `unknown`, or a name that hides one.
fn node(text: &str) -> Result<Option<IpAddr>, Rejection> {
    if text.eq_ignore_ascii_case("unknown") || text.starts_with('_') {
        return Ok(None);
    }
    let bracketed = || text.strip_prefix('[')?.strip_suffix(']')?.parse().ok();
    let with_port = || text.parse::<SocketAddr>().ok().map(|address| address.ip());
    let address = text.parse().ok().or_else(bracketed).or_else(with_port).ok_or_else(unreadable)?;
    Ok(Some(IpAddr::to_canonical(&address)))
}

fn scheme(text: &str) -> Result<bool, Rejection> {
    match text.to_ascii_lowercase().as_str() {
        "https" | "wss" => Ok(true),
        "http" | "ws" => Ok(false),
        _ => Err(unreadable()),
    }
}

fn push(hops: &mut Vec<Hop>, hop: Hop) -> Result<(), Rejection> {
    if hops.len() == MOST_HOPS {
        return Err(malformed("more proxies than there can be"));
    }
    hops.push(hop);
    Ok(())
}

fn unreadable() -> Rejection {
    malformed("what a trusted proxy says of the caller can't be read")
}

fn malformed(why: &'static str) -> Rejection {
    Rejection::new(Code::Malformed, why)
}

const BLANK: [char; 2] = [' ', '\t'];
const MOST_HOPS: usize = 32;

#[cfg(test)]
mod tests;
