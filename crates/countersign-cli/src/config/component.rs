use super::document::Node;
use super::forms::{Wrong, one_of};
use super::nearest::did_you_mean;

/// The derived components that can be demanded of a request (RFC 9421 §2.2).
pub(super) const DERIVED: [&str; 7] =
    ["@method", "@authority", "@scheme", "@target-uri", "@request-target", "@path", "@query"];

/// A demand of `require`: a derived component, or a field name in lower case. Bare, since a component with parameters never
/// stands for the whole.
pub(super) fn component(node: &Node) -> Result<String, Wrong> {
    let text = node.as_text().unwrap_or_default();
    let wrong = || Wrong::new("expected a component such as \"@method\" or \"content-type\"");
    if let Some((bare, _)) = text.split_once(';') {
        return Err(Wrong::new("expected a component without parameters, which never stands for the whole")
            .hint(format!("write \"{bare}\"")));
    }
    if text == "@query-param" {
        return Err(Wrong::new("one parameter never stands for the query").hint("write \"@query\""));
    }
    if text == "@status" {
        return Err(Wrong::new("a request has no status"));
    }
    if text.starts_with('@') {
        if DERIVED.contains(&text) {
            return Ok(text.to_owned());
        }
        let question = did_you_mean(text, DERIVED).map(|question| format!("; {question}")).unwrap_or_default();
        return Err(Wrong::new(format!("expected {}{question}", one_of(&DERIVED))));
    }
    let fine = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    if text.is_empty() || !text.bytes().all(fine) {
        return Err(wrong());
    }
    // RFC 9421 §2.1: "The component name for an HTTP field is the lowercased form of its field name".
    let lower = text.to_ascii_lowercase();
    if lower != text {
        return Err(wrong().hint(format!("write \"{lower}\": field names are demanded in lower case")));
    }
    // A forgotten `@` would demand a header that nobody sends.
    let derived = format!("@{text}");
    if DERIVED.contains(&derived.as_str()) {
        return Err(wrong().hint(format!("write \"{derived}\"")));
    }
    Ok(lower)
}

/// Whether what is demanded contains `part`: `@target-uri` is `@scheme @authority @path @query`, `@request-target` is
/// `@path @query`.
pub(super) fn contains(require: &[String], part: &str) -> bool {
    require.iter().any(|demanded| match demanded.as_str() {
        "@target-uri" => matches!(part, "@target-uri" | "@scheme" | "@authority" | "@path" | "@query"),
        "@request-target" => matches!(part, "@request-target" | "@path" | "@query"),
        demanded => demanded == part,
    })
}

#[cfg(test)]
mod tests {
    use super::super::issue::Place;
    use super::*;

    fn read(text: &str) -> Result<String, Wrong> {
        component(&Node::text(Place::File("c.toml".into()), text))
    }

    #[test]
    fn derived_components_and_field_names_can_be_demanded() {
        for text in DERIVED.into_iter().chain(["content-digest", "content-type", "x-request-id", "authorization"]) {
            assert_eq!(read(text).unwrap(), text);
        }
    }

    #[test]
    fn a_component_with_parameters_can_not_be_demanded() {
        for text in ["@query-param", "@query-param;name=\"a\"", "@status", "content-digest;req", "date;sf", "@path;tr"]
        {
            assert!(read(text).is_err(), "{text}");
        }
        assert_eq!(read("content-digest;req").unwrap_err().hint.as_deref(), Some("write \"content-digest\""));
    }

    #[test]
    fn a_demand_that_no_message_could_meet_is_refused() {
        for text in ["", " ", "@", "@nothing", "Content-Digest", "@Method", "\"@method\"", "content type", "é", "a:b"]
        {
            assert!(read(text).is_err(), "{text}");
        }
        assert!(read("@methd").unwrap_err().expected.ends_with("did you mean \"@method\"?"));
        assert_eq!(read("path").unwrap_err().hint.as_deref(), Some("write \"@path\""));
    }

    #[test]
    fn a_component_contains_its_parts() {
        let uri = ["@target-uri".to_owned()];
        let target = ["@request-target".to_owned()];
        assert!(["@scheme", "@authority", "@path", "@query"].iter().all(|part| contains(&uri, part)));
        assert!(contains(&target, "@query") && !contains(&target, "@authority") && !contains(&uri, "@method"));
    }
}
