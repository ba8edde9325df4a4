//! What ends while nobody reloads: the gateway's own certificate, and revocation lists.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use countersign::Timestamp;
use serde_json::{Value, json};

use super::server::Server;
use crate::gate::Gate;

/// Says in the log, once, what has ended, and keeps the metrics.
pub(crate) async fn watch(gate: Arc<Gate>) {
    let mut ticks = tokio::time::interval(Duration::from_secs(1));
    let mut told = Vec::new();
    loop {
        ticks.tick().await;
        let tls = gate.table.load().tls.clone();
        let end = |time: Option<Timestamp>| time.map_or(0, |time| time.as_millis() / 1000);
        let own = tls.as_ref().map(|tls| tls.not_after());
        let revocations = tls.as_ref().and_then(|tls| tls.client_auth()).and_then(|auth| auth.next_update());
        gate.metrics.certificate_ends.store(end(own), Relaxed);
        gate.metrics.revocations_end.store(end(revocations), Relaxed);
        let now = gate.clock.now();
        let faults = tls.map_or_else(Vec::new, |tls| faults(&tls, now));
        for fault in faults.iter().filter(|fault| !told.contains(*fault)) {
            gate.log.note(now, "tls", fault);
        }
        told = faults;
    }
}

/// What has ended, in words.
fn faults(tls: &Server, now: Timestamp) -> Vec<String> {
    let own = tls.not_after();
    let own = (own < now).then(|| format!("the gateway's own certificate has ended at {own}"));
    let stale = tls.client_auth().and_then(|auth| auth.stale(now));
    own.into_iter().chain(stale.map(|why| format!("{why}: the certificates that it tells of are refused"))).collect()
}

/// What `/readyz` tells of it.
pub(crate) fn readiness(tls: &Server, now: Timestamp) -> Value {
    let revocations = tls.client_auth().and_then(|auth| auth.next_update());
    json!({
        "certificate_ends": tls.not_after().to_string(),
        "revocations_end": revocations.map(|end| end.to_string()),
        "faults": faults(tls, now),
    })
}
