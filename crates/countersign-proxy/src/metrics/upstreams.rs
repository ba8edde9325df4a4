use std::sync::Arc;

use super::{Metrics, family, line};
use crate::table::Table;
use crate::upstream::{Outcome, upstreams};

impl Metrics {
    /// How the upstreams of these routes are, as text.
    pub(crate) fn render_upstreams(table: &Arc<Table>) -> String {
        let mut text = String::new();
        let mut all =
            |name: &str, kind, help, tell: &dyn Fn(&mut String, &[(&str, &str)], &crate::upstream::Member)| {
                family(&mut text, name, kind, help);
                for (route, member) in upstreams(table) {
                    tell(&mut text, &[("route", route), ("upstream", member.destination.name())], member);
                }
            };
        all(
            "countersign_upstream_up",
            "gauge",
            "1 while requests go there, 0 while it is left out",
            &|text, labels, member| {
                line(text, "countersign_upstream_up", labels, u8::from(!member.condition.is_down()));
            },
        );
        all(
            "countersign_upstream_outstanding",
            "gauge",
            "Requests that wait for its answer",
            &|text, labels, member| {
                line(text, "countersign_upstream_outstanding", labels, member.condition.outstanding());
            },
        );
        all(
            "countersign_upstream_requests_total",
            "counter",
            "What came of the requests that were handed to it",
            &|text, labels, member| {
                for outcome in Outcome::ALL {
                    let labels = [labels[0], labels[1], ("outcome", outcome.as_str())];
                    line(text, "countersign_upstream_requests_total", &labels, member.condition.count(outcome));
                }
            },
        );
        all(
            "countersign_upstream_retries_total",
            "counter",
            "Requests that failed there and were tried once more",
            &|text, labels, member| {
                line(text, "countersign_upstream_retries_total", labels, member.condition.retries());
            },
        );
        text
    }
}
