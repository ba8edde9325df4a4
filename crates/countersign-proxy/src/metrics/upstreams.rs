use std::sync::Arc;

use super::{Metrics, family, line};
use crate::table::Table;
use crate::upstream::{Member, Outcome, upstreams};

impl Metrics {
    /// How the upstreams of these routes are, as text.
    pub(crate) fn render_upstreams(table: &Arc<Table>) -> String {
        let mut text = String::new();
        for (name, kind, help, value) in FAMILIES {
            family(&mut text, name, kind, help);
            for (route, member) in upstreams(table) {
                line(&mut text, name, &[("route", route), ("upstream", member.destination.name())], value(member));
            }
        }
        family(&mut text, REQUESTS, "counter", "What came of the requests that were handed to it");
        for (route, member) in upstreams(table) {
            for outcome in Outcome::ALL {
                let upstream = member.destination.name();
                let labels = [("route", route), ("upstream", upstream), ("outcome", outcome.as_str())];
                line(&mut text, REQUESTS, &labels, member.condition.count(outcome));
            }
        }
        text
    }
}

const REQUESTS: &str = "countersign_upstream_requests_total";

/// Name, kind, help, and the value of one upstream.
type Family = (&'static str, &'static str, &'static str, fn(&Member) -> u64);

const FAMILIES: [Family; 3] = [
    ("countersign_upstream_up", "gauge", "1 while requests go there, 0 while it is left out", |member| {
        u64::from(!member.condition.is_down())
    }),
    ("countersign_upstream_outstanding", "gauge", "Requests that wait for its answer", |member| {
        member.condition.outstanding() as u64
    }),
    (
        "countersign_upstream_retries_total",
        "counter",
        "Requests that failed there and were tried once more",
        |member| member.condition.retries(),
    ),
];
