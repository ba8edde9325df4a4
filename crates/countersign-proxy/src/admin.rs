//! The admin listener: health and metrics. Tells nothing that a stranger must not know, and changes nothing.

use std::convert::Infallible;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, header};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};

use crate::gate::Gate;
use crate::metrics::Metrics;
use crate::reply::Reply;
use crate::tls::vigil;
use crate::upstream::upstreams;

/// Serves until it is dropped.
pub(crate) async fn serve(listener: TcpListener, hosts: Vec<String>, gate: Arc<Gate>) {
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    let hosts: Arc<[String]> = hosts.into();
    loop {
        let place = Arc::clone(&places).acquire_owned().await;
        match listener.accept().await {
            Ok((stream, _)) => {
                let (gate, hosts) = (Arc::clone(&gate), Arc::clone(&hosts));
                tokio::spawn(async move {
                    let _ = timeout(CONNECTION_TIME, connection(stream, hosts, gate)).await;
                    drop(place);
                });
            }
            Err(_) => sleep(Duration::from_millis(10)).await,
        }
    }
}

const CONNECTIONS: usize = 64;
const CONNECTION_TIME: Duration = Duration::from_secs(300);

async fn connection(stream: TcpStream, hosts: Arc<[String]>, gate: Arc<Gate>) -> io::Result<()> {
    let own = stream.local_addr()?;
    let service = service_fn(move |request: Request<Incoming>| {
        let response = answer(&request, own, &hosts, &gate);
        async move { Ok::<_, Infallible>(response) }
    });
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(Duration::from_secs(10)).max_buf_size(16 << 10);
    builder.serve_connection(TokioIo::new(stream), service).await.map_err(io::Error::other)
}

fn answer(request: &Request<Incoming>, own: SocketAddr, hosts: &[String], gate: &Gate) -> Response<Reply> {
    if !is_for_us(request.headers(), own.ip(), hosts) {
        return json_response(StatusCode::FORBIDDEN, &json!({"error": "this Host is not ours"}));
    }
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        return json_response(StatusCode::METHOD_NOT_ALLOWED, &json!({"error": "only GET is served here"}));
    }
    match request.uri().path() {
        "/livez" => json_response(StatusCode::OK, &json!({"live": true})),
        "/readyz" => {
            let readiness = readiness(gate);
            let ready = readiness["ready"] == true;
            json_response(if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE }, &readiness)
        }
        "/metrics" => {
            let age = gate.health.snapshot_age.as_ref().map(|age| age());
            let text = gate.metrics.render(age, &gate.room)
                + &Metrics::render_upstreams(&gate.table.load())
                + &Metrics::render_measures(&gate.health.measures);
            let mut response = Response::new(Reply::own(text));
            response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; version=0.0.4"));
            response
        }
        _ => json_response(StatusCode::NOT_FOUND, &json!({"error": "there are /livez, /readyz and /metrics"})),
    }
}

fn readiness(gate: &Gate) -> Value {
    let missing: Vec<Value> = gate.missing().into_iter().map(|(what, why)| json!({"what": what, "why": why})).collect();
    let mut body = json!({"ready": missing.is_empty(), "missing": missing});
    if let Some(reason) = &**gate.health.failed_reload.load() {
        body["reload"] = json!({"failed": reason, "running": "the last good configuration"});
    }
    if let Some(tls) = &gate.table.load().tls {
        body["tls"] = vigil::readiness(tls, gate.clock.now());
    }
    if let Some(age) = gate.health.snapshot_age.as_ref().map(|age| age()).filter(|age| *age > STALE) {
        body["keys"] = json!({"stale_seconds": age.as_secs(), "running": "the last snapshot of the registry"});
    }
    // No other gateway would fare better with it: told, and no reason to turn away from this one.
    let table = gate.table.load();
    let down: Vec<Value> = upstreams(&table)
        .filter_map(|(route, member)| {
            let why = member.condition.why_down()?;
            Some(json!({"route": route, "upstream": member.destination.name(), "why": why}))
        })
        .collect();
    if !down.is_empty() {
        body["upstreams_down"] = down.into();
    }
    body
}

/// A snapshot is confirmed several times a second while all is well.
const STALE: Duration = Duration::from_secs(2);

/// A web page can point a name of its own at any address (DNS rebinding); what it can't do is call itself by an address, or
/// by loopback's name.
fn is_for_us(headers: &HeaderMap, own: IpAddr, hosts: &[String]) -> bool {
    let mut given = headers.get_all(header::HOST).iter();
    let (Some(host), None) = (given.next().and_then(|host| host.to_str().ok()), given.next()) else { return false };
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) && !name.is_empty() => name,
        _ => host,
    };
    let name = name.strip_prefix('[').and_then(|name| name.strip_suffix(']')).unwrap_or(name);
    match name.parse::<IpAddr>() {
        Ok(address) => address.is_loopback() || address.to_canonical() == own.to_canonical(),
        Err(_) => name.eq_ignore_ascii_case("localhost") || hosts.iter().any(|host| host.eq_ignore_ascii_case(name)),
    }
}

fn json_response(status: StatusCode, body: &Value) -> Response<Reply> {
    let mut response = Response::new(Reply::own(format!("{body}\n")));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_a_web_page_chose_is_not_ours() {
        let asked = |host: &str| {
            let headers = HeaderMap::from_iter([(header::HOST, HeaderValue::from_str(host).unwrap())]);
            is_for_us(&headers, "10.0.0.7".parse().unwrap(), &["gateway.internal".to_owned()])
        };
        for host in ["localhost", "localhost:9090", "127.0.0.1:9090", "[::1]:9090", "10.0.0.7", "Gateway.Internal:9090"]
        {
            assert!(asked(host), "{host}");
        }
        for host in
            ["evil.example", "evil.example:9090", "10.0.0.8", "localhost.evil.example", "", ":9090", "127.0.0.1.nip.io"]
        {
            assert!(!asked(host), "{host}");
        }
        assert!(!is_for_us(&HeaderMap::new(), "127.0.0.1".parse().unwrap(), &[]));
    }
}
