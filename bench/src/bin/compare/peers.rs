//! nginx, HAProxy and Envoy: one worker each, nothing logged, connections to the origin kept open.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

use crate::messages::Token;
use crate::process::Process;
use crate::{address, write};

/// Where each of them listens.
pub struct Ports {
    pub plain: u16,
    /// The stricter one: mutual TLS, or a token.
    pub strict: u16,
}

pub const NGINX: Ports = Ports { plain: 9101, strict: 9102 };
pub const HAPROXY: Ports = Ports { plain: 9111, strict: 9112 };
pub const ENVOY: Ports = Ports { plain: 9121, strict: 9122 };

/// nginx, plain and with mutual TLS (TLS 1.3).
pub fn nginx(dir: &Path, origin: SocketAddr, core: &str) -> Process {
    let at = dir.display();
    let file = write(
        dir,
        "nginx.conf",
        &format!(
            "worker_processes 1;\ndaemon off;\npid {at}/nginx.pid;\nerror_log {at}/nginx.error warn;\n\
             events {{ worker_connections 8192; }}\n\
             http {{\n\
             access_log off;\n\
             keepalive_timeout 300s;\nkeepalive_requests 100000000;\n\
             upstream origin {{ server {origin}; keepalive 256; keepalive_requests 100000000; keepalive_timeout 300s; }}\n\
             proxy_http_version 1.1;\nproxy_set_header Connection \"\";\n\
             server {{\nlisten {plain} backlog=1024;\nlocation / {{ proxy_pass http://origin; }}\n}}\n\
             server {{\nlisten {strict} ssl backlog=1024;\nssl_protocols TLSv1.3;\n\
             ssl_certificate {at}/server.pem;\nssl_certificate_key {at}/server.key;\n\
             ssl_client_certificate {at}/ca.pem;\nssl_verify_client on;\n\
             location / {{ proxy_pass http://origin; }}\n}}\n}}\n",
            plain = address(NGINX.plain),
            strict = address(NGINX.strict),
        ),
    );
    let mut command = Command::new("nginx");
    command.arg("-c").arg(file).arg("-e").arg(dir.join("nginx.error"));
    Process::start(&command, core, &dir.join("nginx.log"), address(NGINX.plain))
}

/// HAProxy, plain and with `jwt_verify` of an RS256 token.
pub fn haproxy(dir: &Path, origin: SocketAddr, core: &str, token: &Token) -> Process {
    let key = write(dir, "token.pub", &token.public);
    let file = write(
        dir,
        "haproxy.cfg",
        &format!(
            "global\n  nbthread 1\n  maxconn 8192\n\
             defaults\n  mode http\n  timeout connect 5s\n  timeout client 300s\n  timeout server 300s\n  \
             http-reuse always\n\
             frontend plain\n  bind {plain}\n  default_backend origin\n\
             frontend token\n  bind {strict}\n  \
             http-request deny deny_status 401 unless {{ http_auth_bearer,jwt_header_query('$.alg') -m str RS256 }}\n  \
             http-request deny deny_status 401 unless {{ http_auth_bearer,jwt_verify(\"RS256\",\"{key}\") -m int 1 }}\n  \
             default_backend origin\n\
             backend origin\n  server one {origin} maxconn 8192\n",
            plain = address(HAPROXY.plain),
            strict = address(HAPROXY.strict),
            key = key.display(),
        ),
    );
    let mut command = Command::new("haproxy");
    command.args(["-db", "-f"]).arg(file);
    Process::start(&command, core, &dir.join("haproxy.log"), address(HAPROXY.plain))
}

/// Envoy, plain and with `jwt_authn` of an RS256 token.
pub fn envoy(dir: &Path, origin: SocketAddr, core: &str, token: &Token, binary: &Path) -> Process {
    let (plain, strict) =
        (listener("plain", ENVOY.plain, ""), listener("token", ENVOY.strict, &jwt_authn(&token.jwks)));
    let cluster = format!(
        r#"{{"name": "origin", "type": "STATIC", "connect_timeout": "5s",
  "circuit_breakers": {{"thresholds": [{{"max_connections": 8192, "max_pending_requests": 8192, "max_requests": 8192}}]}},
  "load_assignment": {{"cluster_name": "origin", "endpoints": [{{"lb_endpoints": [{{"endpoint": {{"address":
    {{"socket_address": {{"address": "{}", "port_value": {}}}}}}}}}]}}]}}}}"#,
        origin.ip(),
        origin.port(),
    );
    let file = write(
        dir,
        "envoy.json",
        &format!("{{\"static_resources\": {{\"listeners\": [{plain}, {strict}], \"clusters\": [{cluster}]}}}}\n"),
    );
    let mut command = Command::new(binary);
    command.arg("-c").arg(file).args(["--concurrency", "1", "--log-level", "warning", "--disable-hot-restart"]);
    Process::start(&command, core, &dir.join("envoy.log"), address(ENVOY.plain))
}

fn listener(name: &str, port: u16, before: &str) -> String {
    let at = address(port);
    format!(
        r#"{{"name": "{name}", "address": {{"socket_address": {{"address": "{}", "port_value": {port}}}}},
  "filter_chains": [{{"filters": [{{"name": "envoy.filters.network.http_connection_manager", "typed_config": {{
    "@type": "{TYPES}.filters.network.http_connection_manager.v3.HttpConnectionManager",
    "stat_prefix": "{name}", "generate_request_id": false,
    "route_config": {{"virtual_hosts": [{{"name": "all", "domains": ["*"],
      "routes": [{{"match": {{"prefix": "/"}}, "route": {{"cluster": "origin"}}}}]}}]}},
    "http_filters": [{before}{{"name": "envoy.filters.http.router",
      "typed_config": {{"@type": "{TYPES}.filters.http.router.v3.Router"}}}}]}}}}]}}]}}"#,
        at.ip(),
    )
}

fn jwt_authn(jwks: &str) -> String {
    let jwks = jwks.replace('"', "\\\"");
    format!(
        r#"{{"name": "envoy.filters.http.jwt_authn", "typed_config": {{
      "@type": "{TYPES}.filters.http.jwt_authn.v3.JwtAuthentication",
      "providers": {{"issuer": {{"issuer": "issuer", "audiences": ["api"], "forward": true,
        "local_jwks": {{"inline_string": "{jwks}"}}}}}},
      "rules": [{{"match": {{"prefix": "/"}}, "requires": {{"provider_name": "issuer"}}}}]}}}}, "#
    )
}

const TYPES: &str = "type.googleapis.com/envoy.extensions";
