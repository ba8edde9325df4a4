use super::document::{Node, Value};
use super::issue::Issue;

/// A setting that is understood and checked, but that nothing stands behind yet.
pub(super) struct NotYet {
    /// The path of the key, without the index of a route.
    key: &'static str,
    /// Which of its values ask for what is not there.
    asks: Asks,
    weight: Weight,
    /// What is not there, and what that means.
    text: &'static str,
}

/// An error where traffic would be less safe than the file says, or not at all what it says; else a warning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Weight {
    Error,
    Warning,
}

enum Asks {
    /// Whatever it is.
    Always,
    /// Any text but this.
    Unless(&'static str),
    /// A text that begins with one of these.
    Beginning(&'static [&'static str]),
    True,
}

/// All of them. When a function lands, its lines go. Where a section stands here, its keys are not told again.
#[rustfmt::skip]
const TABLE: &[NotYet] = &[
    error("registry.url", Asks::Beginning(&["postgres://", "postgresql://"]), "PostgreSQL is not there yet, only sqlite: is"),
    error("registry.url_file", Asks::Always, "a URL in a file is not read yet, nor is PostgreSQL there, the only registry with a password"),
    warning("evidence.durability", Asks::Unless("off"), "evidence is not kept yet: decisions go to the log only"),
    error("route.sign_responses", Asks::True, "responses are not signed yet"),
    error("sidecar.verify_responses", Asks::True, "signatures of responses are not checked yet, and any response would pass"),
];

/// What this value of this setting asks for in vain.
pub(super) fn find<'a>(key: &'a str, node: &'a Node) -> impl Iterator<Item = &'static NotYet> + 'a {
    TABLE.iter().filter(move |entry| entry.key == key && entry.asks.of(node))
}

impl NotYet {
    pub(super) fn weight(&self) -> Weight {
        self.weight
    }

    pub(super) fn issue(&self, node: &Node) -> Issue {
        let key = self.key.rsplit('.').next().unwrap_or(self.key);
        let issue = Issue::new(
            node.place.clone(),
            match self.asks {
                Asks::Always if matches!(node.value, Value::Table(_)) => format!("[{}]: {}", self.key, self.text),
                Asks::Always => format!("{key}: {}", self.text),
                _ => format!("{key} = {node}: {}", self.text),
            },
        );
        match (self.weight, &self.asks) {
            (Weight::Warning, _) | (_, Asks::Beginning(_)) => issue,
            (_, Asks::Unless(fine)) => issue.hint(format!("write {key} = \"{fine}\" until it is there")),
            (_, Asks::Always) if matches!(node.value, Value::Table(_)) => {
                issue.hint(format!("take the section [{}] out until it is there", self.key))
            }
            (_, Asks::Always | Asks::True) => issue.hint(format!("take {key} out until it is there")),
        }
    }
}

impl Asks {
    fn of(&self, node: &Node) -> bool {
        match (self, &node.value) {
            (Asks::Always, _) | (Asks::True, Value::Flag(true)) => true,
            (Asks::Unless(fine), Value::Text(text)) => text != fine,
            (Asks::Beginning(starts), Value::Text(text)) => starts.iter().any(|start| text.starts_with(start)),
            _ => false,
        }
    }
}

const fn error(key: &'static str, asks: Asks, text: &'static str) -> NotYet {
    NotYet { key, asks, weight: Weight::Error, text }
}

const fn warning(key: &'static str, asks: Asks, text: &'static str) -> NotYet {
    NotYet { key, asks, weight: Weight::Warning, text }
}
