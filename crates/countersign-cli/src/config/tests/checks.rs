use super::*;

fn two(one: &str, other: &str) -> String {
    format!("[[route]]\nupstream = \"http://h\"\n{one}\n[[route]]\nupstream = \"http://h\"\n{other}\n")
}

#[test]
fn plain_http_stays_on_loopback_unless_it_is_asked_for() {
    let open = "[gateway]\npublic_url = [\"https://a.example\"]\nlisten = [\"127.0.0.1:80\", \"0.0.0.0:80\"]\n";
    assert_eq!(
        fault(open),
        "countersign.toml:3:10: listen has \"0.0.0.0:80\", which is not loopback, and there is no [gateway.tls]"
    );
    assert!(hints(open)[0].contains("insecure_listen = true"));
    assert!(faults(&format!("{open}insecure_listen = true\n")).is_empty());
    assert!(faults(&format!("{open}[gateway.tls]\ncertificate = \"c\"\nkey = \"k\"\n")).is_empty());
    for address in ["127.0.0.1:1", "127.9.9.9:1", "[::1]:1", "[::ffff:127.0.0.1]:1"] {
        assert!(faults(&format!("gateway.listen = [\"{address}\"]\n")).is_empty(), "{address}");
    }
}

#[test]
fn a_proxy_header_needs_somebody_who_is_believed() {
    assert!(fault("gateway.proxy_protocol = true\n").contains("trusted_proxies names nobody"));
    assert!(faults("[gateway]\nproxy_protocol = true\ntrusted_proxies = [\"10.0.0.0/8\"]\n").is_empty());
}

#[test]
fn any_host_passes_on_loopback_only_unless_it_is_asked_for() {
    let open = "[gateway]\ninsecure_listen = true\nlisten = [\"192.0.2.1:80\"]\n";
    assert!(fault(open).contains("there is no public_url: any Host would do"));
    assert!(faults(&format!("{open}any_authority = true\n")).is_empty());
    assert!(faults(&format!("{open}public_url = [\"https://a.example\"]\n")).is_empty());
}

#[test]
fn a_gateway_that_listens_nowhere_is_refused() {
    assert!(fault("gateway.listen = []\n").contains("listen is empty"));
}

#[test]
fn gateway_and_admin_need_ports_of_their_own() {
    assert!(fault("gateway.listen = [\"127.0.0.1:9090\"]\n").contains("they can't share it"));
    assert!(
        fault("gateway.listen = [\"127.0.0.1:1\"]\nadmin.listen = \"0.0.0.0:1\"\n").contains("they can't share it")
    );
    assert!(faults("gateway.listen = [\"127.0.0.1:0\"]\nadmin.listen = \"127.0.0.1:0\"\n").is_empty());
}

#[test]
fn client_certificates_need_authorities() {
    let tls = "[gateway.tls]\ncertificate = \"c\"\nkey = \"k\"\n";
    assert!(fault(&format!("{tls}client_auth = \"required\"\n")).contains("needs client_ca"));
    assert!(fault(&format!("{tls}crl = \"x\"\n")).contains("needs client_ca"));
    assert!(faults(&format!("{tls}client_auth = \"off\"\nclient_ca = \"a\"\ncrl = \"x\"\n")).is_empty());
}

#[test]
fn a_url_stands_in_one_place() {
    assert!(fault("[registry]\nurl = \"sqlite:a\"\nurl_file = \"b\"\n").contains("both url and url_file"));
    assert!(fault("[replay]\nurl = \"memory:\"\nurl_file = \"b\"\n").contains("both url and url_file"));
}

#[test]
fn a_route_without_schemes_needs_a_user() {
    assert!(fault(&route("schemes = []")).contains("schemes is empty"));
    let token = "[token]\nissuer = \"i\"\n";
    assert!(faults(&route(&format!("schemes = []\nuser = \"required\"\n{token}"))).is_empty());
}

#[test]
fn a_signature_over_nothing_is_never_enough() {
    assert!(fault(&route("require = []")).contains("a signature over nothing would pass"));
    assert!(fault(&route("require = [\"content-digest\"]")).contains("demanded of bodies only"));
    assert!(faults(&route("require = [\"@method\"]")).is_empty());
    assert!(faults(&route("schemes = [\"pki\"]\nrequire = []")).is_empty());
}

#[test]
fn a_component_with_parameters_is_not_demanded() {
    for name in ["@query-param", "content-digest;req", "@nothing", "Content-Type"] {
        assert!(fault(&route(&format!("require = [\"{name}\"]"))).contains("require has"), "{name}");
    }
}

#[test]
fn two_routes_of_one_path_are_refused() {
    let told = fault(&two("path = \"/a\"", "path = \"/a\""));
    assert_eq!(told, "countersign.toml:6:8: path \"/a\" has a route already, at countersign.toml:3:8");
    assert!(faults(&two("path = \"/a\"", "path = \"/a/b\"")).is_empty());
}

#[test]
fn settings_of_a_scheme_stand_where_the_scheme_is_admitted() {
    for section in ["pki", "trusted_site", "app_hmac"] {
        let told = fault(&route(&format!("[route.{section}]")));
        assert!(
            told.starts_with(&format!("countersign.toml:4:1: [route.{section}] is there, but schemes has no")),
            "{told}"
        );
    }
    assert!(
        fault(&route("schemes = [\"pki\"]\n[route.http_message_signatures]"))
            .contains("has no \"http-message-signatures\"")
    );
}

#[test]
fn an_algorithm_belongs_to_its_scheme() {
    let told = fault(&route("[route.http_message_signatures]\nalgorithms = [\"rsa-pss-sha256\"]"));
    assert!(told.contains("algorithms has \"rsa-pss-sha256\", which is not of this scheme: expected \"ed25519\""));
    assert!(fault("[sidecar]\nscheme = \"pki\"\nalgorithm = \"ed25519\"\n").ends_with("expected \"rsa-pss-sha256\""));
}

#[test]
fn fields_are_opened_for_who_signed_only() {
    let text =
        route("schemes = []\nuser = \"required\"\nopen = [\"/card\"]\n[token]\nissuer = \"i\"\n[seal]\nkeys = [\"k\"]");
    assert!(fault(&text).contains("open needs a signature"));
}

#[test]
fn pki_and_a_user_token_do_not_fit_into_one_header() {
    let text = route("schemes = [\"pki\"]\nuser = \"required\"\n[token]\nissuer = \"i\"");
    assert!(fault(&text).contains("both want the one Authorization header"));
}

#[test]
fn what_a_route_needs_of_other_sections_has_to_be_there() {
    assert!(fault(&route("user = \"required\"")).contains("needs [token]"));
    assert!(fault(&route("channel = \"same-partner\"")).contains("needs client certificates"));
    assert!(faults(&route("open = [\"/a\"]")).is_empty(), "the gateway makes its own key");
    assert!(fault("[sidecar.seal]\nto = \"p\"\npartner = \"a\"\n").contains("seals nothing"));
    assert!(fault("[sidecar]\nseal = []\npartner = \"a\"\n").contains("seals nothing"));
    assert!(faults("[sidecar.seal]\nif_present = [\"/a\"]\npartner = \"a\"\n").is_empty());
}

#[test]
fn a_field_inside_another_that_is_sealed_is_a_fault() {
    let seal = |fields: &str, if_present: &str| {
        format!("[sidecar.seal]\nfields = [{fields}]\nif_present = [{if_present}]\npartner = \"a\"\n")
    };
    for (fields, if_present) in [("\"/a\", \"/a/b\"", ""), ("\"/a/b\"", "\"/a\""), ("\"/a\"", "\"/a/b\"")] {
        assert!(fault(&seal(fields, if_present)).contains("/a/b lies inside /a"), "{fields} {if_present}");
    }
    let list = "[sidecar]\nseal = [\"/c/*\", \"/c/0/n\"]\npartner = \"a\"\n";
    assert!(fault(list).contains("/c/0/n lies inside /c/*"));
    assert!(faults(&seal("\"/a/b\"", "\"/a/c\", \"/ab\"")).is_empty());
    // The first element whole, and a member of the others: there are documents for it.
    assert!(faults(&seal("\"/a/0\"", "\"/a/*/b\"")).is_empty());
}

#[test]
fn requests_do_not_go_round_in_a_circle() {
    for upstream in ["http://127.0.0.1:8080", "http://localhost:8080"] {
        let text = format!("[[route]]\npath = \"/\"\nupstream = \"{upstream}\"\n");
        assert!(fault(&text).contains("upstream is the gateway itself"), "{upstream}");
    }
    assert!(fault("[[route]]\npath = \"/\"\nupstream = \"http://127.0.0.1:9090\"\n").contains("the admin port itself"));
    let elsewhere = "gateway.listen = [\"0.0.0.0:80\"]\ngateway.insecure_listen = true\ngateway.any_authority = true\n\
                     [[route]]\npath = \"/\"\nupstream = \"http://192.0.2.1\"\n";
    assert!(faults(elsewhere).is_empty());
}

#[test]
fn names_and_pointers_have_their_form() {
    for lines in
        ["partners = [\"a b\"]", "partners = [\"\"]", "partners = [\"ä\"]", "open = [\"card\"]", "open = [\"/a~2\"]"]
    {
        assert_eq!(faults(&route(lines)).len(), 1, "{lines}");
    }
    let long = "a".repeat(65);
    assert_eq!(faults(&route(&format!("partners = [\"{long}\"]"))).len(), 1);
    assert!(faults(&route(&format!("partners = [\"{}\"]", &long[1..]))).is_empty());
}

#[test]
fn one_upstream_or_a_list_of_them_but_never_none_and_none_twice() {
    let with = |upstream: &str| format!("[[route]]\npath = \"/orders\"\nupstream = {upstream}\n");
    assert_eq!(config(&with("\"http://a\"")).routes[0].upstream.len(), 1);
    assert_eq!(config(&with("[\"http://a\"]")).routes[0].upstream.len(), 1);
    assert_eq!(config(&with("[\"http://a\", \"https://a\"]")).routes[0].upstream.len(), 2);
    assert!(fault(&with("[]")).contains("expected one at least"));
    assert!(fault(&with("[\"http://a\", \"http://a:80\"]")).contains("twice"));
    assert!(fault(&with("[\"http://a\", \"http://127.0.0.1:8080\"]")).contains("in a circle"));
    assert!(fault("[[route]]\npath = \"/orders\"\n").contains("lacks \"upstream\""));
    assert!(fault(&route("[route.health]\npath = \"health\"")).contains("expected a path"));
    assert!(fault(&route("[route.health]\ninterval = \"1s\"")).contains("lacks \"path\""));
}
