//! Counters and their text, in the Prometheus exposition format 0.0.4. Labels come from the configuration and from the
//! closed list of codes, never from a request.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use countersign::Code;

use crate::handles::Measure;
use crate::spool::Room;
use crate::upstream::Conditions;

mod upstreams;

/// All counters of a gateway.
#[derive(Default)]
pub(crate) struct Metrics {
    routes: Mutex<BTreeMap<String, Arc<RouteMetrics>>>,
    /// What no route could be told of.
    pub(crate) unrouted: RouteMetrics,
    /// How the upstreams are; told apart from the rest, by `upstreams.rs`.
    pub(crate) upstreams: Conditions,
    pub(crate) connections: AtomicI64,
    /// Closed at once: one too many of its source, or no PROXY header where there should be one.
    pub(crate) refused_connections: AtomicU64,
    pub(crate) lost_lines: AtomicU64,
    pub(crate) panics: AtomicU64,
    pub(crate) reloads: AtomicU64,
    pub(crate) failed_reloads: AtomicU64,
    /// 1 from the signal to end on.
    pub(crate) stopping: AtomicU64,
    pub(crate) handshakes: AtomicU64,
    pub(crate) failed_handshakes: AtomicU64,
    /// In seconds since 1970; 0 where there is none.
    pub(crate) certificate_ends: AtomicI64,
    /// As above.
    pub(crate) revocations_end: AtomicI64,
}

/// The counters of one route.
pub(crate) struct RouteMetrics {
    /// Admitted, then one per code of [`Code::ALL`].
    requests: Vec<AtomicU64>,
    /// One per bucket, then beyond the last.
    upstream: [AtomicU64; BUCKETS.len() + 1],
    upstream_micros: AtomicU64,
}

/// Upper bounds in seconds.
const BUCKETS: [f64; 12] = [0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0, 30.0];

/// What stands for the code of a request that was admitted and answered by its upstream.
pub(crate) const ACCEPTED: &str = "accepted";

impl Metrics {
    /// The counters of a route; the same ones across reloads.
    pub(crate) fn route(&self, name: &str) -> Arc<RouteMetrics> {
        let mut routes = self.routes.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(routes.entry(name.to_owned()).or_default())
    }

    /// Numbers that others count, as text.
    pub(crate) fn render_measures(measures: &[Measure]) -> String {
        let mut text = String::new();
        for Measure { name, counter, help, read } in measures {
            family(&mut text, name, if *counter { "counter" } else { "gauge" }, help);
            line(&mut text, name, &[], read());
        }
        text
    }

    /// All of it as text. `snapshot_age` is read by the caller.
    pub(crate) fn render(&self, snapshot_age: Option<Duration>, room: &Room) -> String {
        let routes = self.routes.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let all = || routes.iter().map(|(name, route)| (name.as_str(), route.as_ref())).chain([("", &self.unrouted)]);
        let mut text = String::new();
        family(
            &mut text,
            "countersign_requests_total",
            "counter",
            "Decisions by route and code; no route: what matched none",
        );
        for (name, route) in all() {
            for (code, count) in codes().zip(&route.requests) {
                let count = count.load(Relaxed);
                if count > 0 {
                    line(&mut text, "countersign_requests_total", &[("route", name), ("code", code)], count);
                }
            }
        }
        family(
            &mut text,
            "countersign_upstream_seconds",
            "histogram",
            "From forwarding a request to the head of its response",
        );
        for (name, route) in all().filter(|(name, _)| !name.is_empty()) {
            route.render_upstream(&mut text, name);
        }
        render_bodies(&mut text, room);
        #[allow(clippy::cast_precision_loss)]
        {
            gauge(
                &mut text,
                "countersign_connections",
                "gauge",
                "Open connections of callers",
                self.connections.load(Relaxed) as f64,
            );
            gauge(
                &mut text,
                "countersign_connections_refused_total",
                "counter",
                "Connections closed at once: too many, or too many failures, of their source, or no PROXY header",
                self.refused_connections.load(Relaxed) as f64,
            );
            gauge(
                &mut text,
                "countersign_log_lost_total",
                "counter",
                "Log lines of refusals that found no room",
                self.lost_lines.load(Relaxed) as f64,
            );
            gauge(
                &mut text,
                "countersign_panics_total",
                "counter",
                "Requests that failed by a fault of ours",
                self.panics.load(Relaxed) as f64,
            );
            gauge(
                &mut text,
                "countersign_stopping",
                "gauge",
                "1 from the signal to end on",
                self.stopping.load(Relaxed) as f64,
            );
            gauge(
                &mut text,
                "countersign_reloads_total",
                "counter",
                "Configurations that were taken after the first",
                self.reloads.load(Relaxed) as f64,
            );
            gauge(
                &mut text,
                "countersign_reloads_failed_total",
                "counter",
                "Configurations that were not taken",
                self.failed_reloads.load(Relaxed) as f64,
            );
        }
        self.render_tls(&mut text);
        if let Some(age) = snapshot_age {
            gauge(&mut text, "countersign_snapshot_age_seconds", "gauge", "Age of the key snapshot", age.as_secs_f64());
        }
        family(&mut text, "countersign_build_info", "gauge", "The version that runs");
        line(&mut text, "countersign_build_info", &[("version", env!("CARGO_PKG_VERSION"))], 1);
        text
    }
}

impl Metrics {
    fn render_tls(&self, text: &mut String) {
        const FAMILY: &str = "countersign_tls_handshakes_total";
        family(text, FAMILY, "counter", "TLS handshakes of callers by outcome");
        line(text, FAMILY, &[("outcome", "done")], self.handshakes.load(Relaxed));
        line(text, FAMILY, &[("outcome", "failed")], self.failed_handshakes.load(Relaxed));
        for (name, help, end) in [
            ("countersign_certificate_ends_seconds", "When the gateway's certificate ends", &self.certificate_ends),
            ("countersign_revocations_end_seconds", "When the first revocation list ends", &self.revocations_end),
        ] {
            let end = end.load(Relaxed);
            if end != 0 {
                family(text, name, "gauge", help);
                line(text, name, &[], end);
            }
        }
    }
}

impl Default for RouteMetrics {
    fn default() -> Self {
        Self {
            requests: codes().map(|_| AtomicU64::new(0)).collect(),
            upstream: Default::default(),
            upstream_micros: AtomicU64::new(0),
        }
    }
}

impl RouteMetrics {
    /// Counts a decision; `None` for one that was admitted and answered.
    pub(crate) fn count(&self, code: Option<Code>) {
        let at = code.and_then(|code| Code::ALL.iter().position(|other| *other == code)).map_or(0, |at| at + 1);
        if let Some(counter) = self.requests.get(at) {
            counter.fetch_add(1, Relaxed);
        }
    }

    pub(crate) fn upstream_took(&self, time: Duration) {
        let at = BUCKETS.iter().position(|bound| time.as_secs_f64() <= *bound).unwrap_or(BUCKETS.len());
        self.upstream[at].fetch_add(1, Relaxed);
        self.upstream_micros.fetch_add(u64::try_from(time.as_micros()).unwrap_or(0), Relaxed);
    }

    fn render_upstream(&self, text: &mut String, name: &str) {
        const FAMILY: &str = "countersign_upstream_seconds";
        let mut sum = 0;
        for (count, bound) in self.upstream.iter().zip(BUCKETS.iter().map(f64::to_string).chain(["+Inf".to_owned()])) {
            sum += count.load(Relaxed);
            line(text, &format!("{FAMILY}_bucket"), &[("route", name), ("le", &bound)], sum);
        }
        let seconds = Duration::from_micros(self.upstream_micros.load(Relaxed)).as_secs_f64();
        line(text, &format!("{FAMILY}_sum"), &[("route", name)], seconds);
        line(text, &format!("{FAMILY}_count"), &[("route", name)], sum);
    }
}

fn render_bodies(text: &mut String, room: &Room) {
    let memory = "Bytes of bodies in memory that wait for a verdict or an upstream";
    gauge(text, "countersign_held_bytes", "gauge", memory, room.held() as f64);
    let files = "Bytes of bodies in files that wait for a verdict or an upstream";
    gauge(text, "countersign_spooled_bytes", "gauge", files, room.spooled() as f64);
    let failures = "Files of bodies that could not be written or read";
    gauge(text, "countersign_spool_failures_total", "counter", failures, room.failures() as f64);
}

fn gauge(text: &mut String, name: &str, kind: &str, help: &str, value: f64) {
    family(text, name, kind, help);
    line(text, name, &[], value);
}

fn codes() -> impl Iterator<Item = &'static str> {
    std::iter::once(ACCEPTED).chain(Code::ALL.iter().map(|code| code.as_str()))
}

fn family(text: &mut String, name: &str, kind: &str, help: &str) {
    // Writing to a String does not fail.
    let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} {kind}");
}

fn line(text: &mut String, name: &str, labels: &[(&str, &str)], value: impl std::fmt::Display) {
    text.push_str(name);
    for (at, (label, value)) in labels.iter().enumerate() {
        let value = value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
        let _ = write!(text, "{}{label}=\"{value}\"", if at == 0 { '{' } else { ',' });
    }
    if !labels.is_empty() {
        text.push('}');
    }
    let _ = writeln!(text, " {value}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_by_route_and_code() {
        let metrics = Metrics::default();
        let route = metrics.route("or\"ders");
        route.count(None);
        route.count(Some(Code::Replayed));
        metrics.route("or\"ders").count(Some(Code::Replayed));
        route.upstream_took(Duration::from_millis(2));
        metrics.unrouted.count(Some(Code::NoRoute));
        let text = metrics.render(Some(Duration::from_secs(3)), &Room::default());
        for expected in [
            "countersign_requests_total{route=\"or\\\"ders\",code=\"accepted\"} 1\n",
            "countersign_requests_total{route=\"or\\\"ders\",code=\"replayed\"} 2\n",
            "countersign_requests_total{route=\"\",code=\"no_route\"} 1\n",
            "countersign_upstream_seconds_bucket{route=\"or\\\"ders\",le=\"0.001\"} 0\n",
            "countersign_upstream_seconds_bucket{route=\"or\\\"ders\",le=\"0.0025\"} 1\n",
            "countersign_upstream_seconds_bucket{route=\"or\\\"ders\",le=\"+Inf\"} 1\n",
            "countersign_snapshot_age_seconds 3\n",
            "countersign_spooled_bytes 0\n",
        ] {
            assert!(text.contains(expected), "{expected} is missing in\n{text}");
        }
    }
}
