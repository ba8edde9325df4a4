use std::collections::BTreeMap;

use super::document::{Node, Value, parse_value};
use super::issue::{Issue, Place};
use super::nearest::nearest;

const PREFIX: &str = "COUNTERSIGN_";

/// Variables that are read elsewhere and are no settings of the file.
const RESERVED: [&str; 1] = ["COUNTERSIGN_LOG"];

/// The environment variables that override the file: `COUNTERSIGN_SECTION__KEY`, two underscores for each dot.
pub(super) struct Overlay {
    variables: BTreeMap<String, String>,
}

impl Overlay {
    /// Keeps what is meant for us, and nothing else of the environment.
    pub(super) fn new(environment: impl Iterator<Item = (String, String)>) -> Self {
        let variables = environment
            .filter(|(name, _)| {
                name.starts_with(PREFIX) && !RESERVED.contains(&name.as_str()) && !is_service_link(name)
            })
            .collect();
        Self { variables }
    }

    /// The variable that overrides this key, once.
    pub(super) fn take(&mut self, path: &str) -> Option<Override> {
        let name = variable(path);
        let text = self.variables.remove(&name)?;
        Some(Override { place: Place::Variable(name), text })
    }

    /// Whether a variable overrides this key.
    pub(super) fn has(&self, path: &str) -> bool {
        self.variables.contains_key(&variable(path))
    }

    /// Whether a variable makes this section stand in the file.
    pub(super) fn has_section(&self, path: &str) -> bool {
        let prefix = variable(path) + "__";
        self.variables.keys().any(|name| name.starts_with(&prefix))
    }

    /// A fault for every variable that nothing took. `known` are the paths that could have been set.
    pub(super) fn left(self, known: &[String]) -> impl Iterator<Item = Issue> {
        let known: Vec<String> = known.iter().map(|path| variable(path)).collect();
        self.variables.into_keys().map(move |name| {
            let place = Place::Variable(name.clone());
            if name == "COUNTERSIGN_ROUTE" || name.starts_with("COUNTERSIGN_ROUTE_") {
                return Issue::new(
                    place,
                    "routes can't be set from the environment, since [[route]] is a list of tables",
                )
                .hint("write the route into the file");
            }
            let meant = nearest(&name[PREFIX.len()..], known.iter().map(|known| &known[PREFIX.len()..]));
            let meant = meant.map(|meant| format!(": did you mean {PREFIX}{meant}?")).unwrap_or_default();
            Issue::new(place, format!("no setting of this name{meant}"))
                .hint("COUNTERSIGN_SECTION__KEY overrides a key, with two underscores behind the section")
        })
    }
}

/// A value from the environment, not yet of any type.
pub(super) struct Override {
    pub(super) place: Place,
    text: String,
}

impl Override {
    /// In TOML's syntax where that gives what is wanted (`fits`), else the text as it stands.
    pub(super) fn value(&self, fits: impl Fn(&Node) -> bool) -> Node {
        parse_value(&self.text, &self.place).filter(fits).unwrap_or_else(|| Node::text(self.place.clone(), &self.text))
    }

    /// A TOML array, or texts with commas between them. An empty text is an empty list.
    pub(super) fn list(&self) -> Node {
        let array = parse_value(&self.text, &self.place).filter(|node| matches!(node.value, Value::List(_)));
        array.unwrap_or_else(|| {
            let items = self.text.split(',').map(str::trim).filter(|item| !item.is_empty());
            let items = items.map(|item| Node::text(self.place.clone(), item)).collect();
            Node { place: self.place.clone(), value: Value::List(items) }
        })
    }
}

/// `gateway.tls.key` is `COUNTERSIGN_GATEWAY__TLS__KEY`.
pub(super) fn variable(path: &str) -> String {
    format!("{PREFIX}{}", path.replace('.', "__").to_ascii_uppercase())
}

/// What Kubernetes and Docker put into every container beside a service called `countersign` or `countersign-…`:
/// `COUNTERSIGN_SERVICE_HOST`, `COUNTERSIGN_GATEWAY_PORT_8080_TCP_ADDR`. Not ours to judge, and never of our form, since
/// there is no `__` in it.
fn is_service_link(name: &str) -> bool {
    let words: Vec<&str> = name.split('_').collect();
    let is_number = |word: &str| word.bytes().all(|byte| byte.is_ascii_digit());
    if words.contains(&"") {
        return false;
    }
    words.windows(2).any(|pair| matches!(pair, ["SERVICE", "HOST" | "PORT"]))
        || match words.as_slice() {
            [.., "PORT"] => true,
            [.., "PORT", port, "TCP" | "UDP" | "SCTP"]
            | [.., "PORT", port, "TCP" | "UDP" | "SCTP", "PROTO" | "ADDR"] => is_number(port),
            _ => false,
        }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn overlay(variables: &[(&str, &str)]) -> Overlay {
        Overlay::new(variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())))
    }

    fn left(name: &str) -> String {
        let known = ["data", "gateway.listen", "gateway.tls.key"].map(str::to_owned);
        overlay(&[(name, "x")]).left(&known).map(|issue| issue.message()).collect()
    }

    #[test]
    fn only_our_variables_are_looked_at() {
        for name in ["PATH", "COUNTERSIGN", "COUNTERSIGNED_DATA", "COUNTERSIGN_LOG", "countersign_data"] {
            assert_eq!(left(name), "", "{name}");
        }
    }

    #[test]
    fn a_variable_that_is_no_setting_is_a_fault_that_names_the_nearest() {
        let wrong = "no setting of this name: did you mean";
        for (name, meant) in [
            ("COUNTERSIGN_DATE", "COUNTERSIGN_DATA"),
            ("COUNTERSIGN_GATEWAY_LISTEN", "COUNTERSIGN_GATEWAY__LISTEN"),
            ("COUNTERSIGN_GATWAY__LISTEN", "COUNTERSIGN_GATEWAY__LISTEN"),
            ("COUNTERSIGN_GATEWAY__TLS_KEY", "COUNTERSIGN_GATEWAY__TLS__KEY"),
        ] {
            assert_eq!(left(name), format!("{name}: {wrong} {meant}?"));
        }
        assert_eq!(left("COUNTERSIGN_COLOUR"), "COUNTERSIGN_COLOUR: no setting of this name");
    }

    #[test]
    fn routes_are_not_set_from_the_environment() {
        for name in ["COUNTERSIGN_ROUTE", "COUNTERSIGN_ROUTE__0__PATH", "COUNTERSIGN_ROUTE__PATH"] {
            assert!(left(name).contains("list of tables"), "{name}");
        }
    }

    #[test]
    fn what_kubernetes_tells_of_services_is_not_ours() {
        for name in [
            "COUNTERSIGN_SERVICE_HOST",
            "COUNTERSIGN_SERVICE_PORT",
            "COUNTERSIGN_SERVICE_PORT_HTTP",
            "COUNTERSIGN_SERVICE_PORT_HTTP_ADMIN",
            "COUNTERSIGN_PORT",
            "COUNTERSIGN_PORT_8080_TCP",
            "COUNTERSIGN_PORT_8080_TCP_ADDR",
            "COUNTERSIGN_GATEWAY_SERVICE_HOST",
            "COUNTERSIGN_GATEWAY_PORT_443_TCP_PROTO",
        ] {
            assert_eq!(left(name), "", "{name}");
        }
        assert_ne!(left("COUNTERSIGN_GATEWAY__PORT"), "");
        assert_ne!(left("COUNTERSIGN_PORTS"), "");
    }

    #[test]
    fn values_are_toml_where_that_fits_else_text() {
        let mut overlay = overlay(&[("COUNTERSIGN_DATA", "\"a b\""), ("COUNTERSIGN_X", "5"), ("COUNTERSIGN_Y", "5m")]);
        let text = |node: &Node| node.as_text().is_some();
        assert_eq!(overlay.take("data").unwrap().value(text).as_text(), Some("a b"));
        assert_eq!(overlay.take("x").unwrap().value(text).as_text(), Some("5"));
        assert_eq!(overlay.take("y").unwrap().value(text).as_text(), Some("5m"));
        assert!(overlay.take("y").is_none());
    }

    #[test]
    fn lists_are_toml_arrays_or_have_commas() {
        let items = |text: &str| match overlay(&[("COUNTERSIGN_L", text)]).take("l").unwrap().list().value {
            Value::List(items) => items.iter().map(|item| item.as_text().unwrap().to_owned()).collect::<Vec<_>>(),
            _ => panic!(),
        };
        assert_eq!(items("a"), ["a"]);
        assert_eq!(items("a, b,"), ["a", "b"]);
        assert_eq!(items("[\"a,b\", 'c']"), ["a,b", "c"]);
        assert_eq!(items("[::1]:80,127.0.0.1:80"), ["[::1]:80", "127.0.0.1:80"]);
        assert!(items("").is_empty());
    }
}
