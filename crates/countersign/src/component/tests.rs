use super::*;
use crate::message::{Head, Origin};
use http::{HeaderMap, Method};

fn value(target: &str, headers: &[(&'static str, &'static str)], component: &Component<'_>) -> Result<String, Code> {
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        map.append(*name, value.parse().unwrap());
    }
    let head =
        Head::request(Method::GET, target, Origin::parse("https://www.example.com").unwrap(), map, false).unwrap();
    let mut out = String::new();
    let components = std::slice::from_ref(component);
    component.check().and_then(|()| Values::new(&head, components).write(component, &mut out)).map_err(|e| e.code())?;
    Ok(out)
}

fn param(name: &'static str) -> Component<'static> {
    Component { name: Name::QueryParam, parameters: vec![Parameter::Name(name.into())] }
}

#[test]
fn derived_components_as_rfc_9421_section_2_2_prints_them() {
    let of = |target, name| value(target, &[], &Component::bare(name).unwrap()).unwrap();
    assert_eq!(of("/path?param=value", "@target-uri"), "https://www.example.com/path?param=value");
    assert_eq!(of("/path?param=value", "@request-target"), "/path?param=value");
    assert_eq!(of("/path?param=value&foo=bar&baz=bat%2Dman", "@query"), "?param=value&foo=bar&baz=bat%2Dman");
    assert_eq!(of("/path", "@query"), "?");
    assert_eq!(of("/path?", "@query"), "?");
    assert_eq!(of("/path?", "@target-uri"), "https://www.example.com/path?");
    assert_eq!(
        (of("/p", "@authority"), of("/p", "@scheme"), of("/p", "@method")),
        ("www.example.com".into(), "https".into(), "GET".into())
    );
}

#[test]
fn query_parameters_are_decoded_and_encoded_again() {
    let query = "/parameters?var=this%20is%20a%20big%0Amultiline%20value&bar=with+plus+whitespace&fa%C3%A7ade%22%3A%20=something&a&~=~";
    assert_eq!(value(query, &[], &param("var")).unwrap(), "this%20is%20a%20big%0Amultiline%20value");
    assert_eq!(value(query, &[], &param("bar")).unwrap(), "with%20plus%20whitespace");
    assert_eq!(value(query, &[], &param("fa%C3%A7ade%22%3A%20")).unwrap(), "something");
    assert_eq!(value(query, &[], &param("a")).unwrap(), "");
    assert_eq!(value(query, &[], &param("%7E")).unwrap(), "%7E");
    assert_eq!(value(query, &[], &param("none")), Err(Code::Malformed));
    assert_eq!(value("/?a=1&%61=2", &[], &param("a")), Err(Code::Malformed));
}

#[test]
fn absent_is_an_error_and_empty_is_a_value() {
    let field = Component::bare("x-empty").unwrap();
    assert_eq!(value("/", &[("x-empty", "")], &field).unwrap(), "");
    assert_eq!(value("/", &[], &field), Err(Code::Malformed));
}

#[test]
fn parameters_of_fields() {
    let with = |name: &'static str, parameter| Component {
        name: Name::parse(name.into()).unwrap(),
        parameters: vec![parameter],
    };
    let dict = [("example-dict", "  a=1,    b=2;x=1;y=2,   c=(a   b   c), d")];
    assert_eq!(
        value("/", &dict, &with("example-dict", Parameter::Structured)).unwrap(),
        "a=1, b=2;x=1;y=2, c=(a b c), d"
    );
    assert_eq!(value("/", &dict, &with("example-dict", Parameter::Key("b".into()))).unwrap(), "2;x=1;y=2");
    assert_eq!(value("/", &dict, &with("example-dict", Parameter::Key("c".into()))).unwrap(), "(a b c)");
    assert_eq!(value("/", &dict, &with("example-dict", Parameter::Key("d".into()))).unwrap(), "?1");
    assert_eq!(value("/", &dict, &with("example-dict", Parameter::Key("e".into()))), Err(Code::Malformed));
    let lines = [("example-header", "value, with, lots"), ("example-header", "of, commas")];
    assert_eq!(
        value("/", &lines, &with("example-header", Parameter::ByteSequence)).unwrap(),
        ":dmFsdWUsIHdpdGgsIGxvdHM=:, :b2YsIGNvbW1hcw==:"
    );
    assert_eq!(value("/", &lines, &with("example-header", Parameter::Request)), Err(Code::Malformed));
    assert_eq!(value("/", &lines, &with("example-header", Parameter::Structured)), Err(Code::Malformed));
}

#[test]
fn a_member_is_that_of_its_own_field_in_its_own_section() {
    let (mut headers, mut trailers) = (HeaderMap::new(), HeaderMap::new());
    headers.insert("a", "k=1, l=2".parse().unwrap());
    headers.insert("b", "k=3".parse().unwrap());
    trailers.insert("a", "k=4".parse().unwrap());
    let origin = Origin::parse("https://www.example.com").unwrap();
    let mut head = Head::request(Method::GET, "/", origin, headers, true).unwrap();
    *head.trailers_mut() = trailers;
    let member = |name: &'static str, key: &'static str, more: &[Parameter<'static>]| Component {
        name: Name::parse(name.into()).unwrap(),
        parameters: [&[Parameter::Key(key.into())], more].concat(),
    };
    let trailer = [Parameter::Trailer];
    let components = [
        member("a", "k", &[]),
        member("b", "k", &[]),
        member("a", "k", &trailer),
        member("a", "l", &[]),
        member("b", "k", &[]),
    ];
    let mut values = Values::new(&head, &components);
    let mut out = String::new();
    for component in &components {
        values.write(component, &mut out).unwrap();
    }
    assert_eq!(out, "13423");
}

#[test]
fn a_known_field_is_printed_strictly_as_what_its_rfc_says_it_is() {
    let strict = |name: &'static str, text: &'static str| {
        let component = Component { name: Name::parse(name.into()).unwrap(), parameters: vec![Parameter::Structured] };
        value("/", &[(name, text)], &component)
    };
    assert_eq!(strict("priority", "u=1,  i").as_deref(), Ok("u=1, i"));
    assert_eq!(strict("accept-encoding", "gzip,   br").as_deref(), Ok("gzip, br"));
    assert_eq!(strict("age", "7;  x").as_deref(), Ok("7;x"));
    assert_eq!((strict("priority", "\"a\""), strict("age", "1, 2")), (Err(Code::Malformed), Err(Code::Malformed)));
}

#[test]
fn names_that_are_none_are_refused_and_do_not_panic() {
    for bad in ["@unknown", "@", "", "Content-Type", "a b", "@query-params", "@signature-params", "é"] {
        assert!(Component::bare(bad).is_err(), "{bad}");
    }
    assert!(Component::bare("@query-param").unwrap().check().is_err());
}
