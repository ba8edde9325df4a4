use super::*;

#[test]
fn the_defaults_of_the_contract_give_no_finding() {
    assert!(codes(ROUTE).is_empty());
    assert!(codes(&route("require = [\"@method\", \"@target-uri\", \"content-digest\"]")).is_empty());
    assert!(
        codes(&route("require = [\"@method\", \"@authority\", \"@request-target\", \"content-digest\"]")).is_empty()
    );
}

#[test]
fn each_part_that_is_not_demanded_is_a_finding_of_its_own() {
    let all = ["@method", "@authority", "@path", "@query", "content-digest"];
    let codes_of = ["method-unsigned", "authority-unsigned", "path-unsigned", "query-unsigned", "body-unsigned"];
    for (left_out, code) in all.iter().zip(codes_of) {
        let rest: Vec<&str> = all.iter().filter(|part| *part != left_out).copied().collect();
        assert_eq!(codes(&route(&format!("require = {rest:?}"))), [code]);
    }
}

#[test]
fn each_weakness_of_a_route_is_a_finding() {
    let legacy = "schemes = [\"http-message-signatures\", \"pki\"]\n";
    for (lines, code) in [
        ("max_age = \"16m\"", "age-long"),
        ("max_skew = \"6m\"", "skew-long"),
        ("refusals = \"full\"", "refusals-full"),
        ("mode = \"observe\"", "observing"),
        ("unbound = true", "sealed-unbound"),
        ("[route.http_message_signatures]\nnonce = \"optional\"", "nonce-optional"),
        (legacy, "legacy-scheme"),
        ("schemes = [\"trusted-site\"]", "legacy-scheme"),
        ("schemes = [\"app-hmac\"]", "legacy-scheme"),
    ] {
        assert_eq!(codes(&route(lines)), [code], "{lines}");
    }
    let unprotected = format!("{legacy}[route.pki]\nreplay = \"unprotected\"");
    assert_eq!(codes(&route(&unprotected)), ["legacy-scheme", "replay-unprotected"]);
    assert_eq!(codes(&route(&format!("{legacy}unsigned_target = true"))), ["legacy-scheme", "target-unsigned"]);
    for scheme in ["trusted-site", "app-hmac"] {
        let lines = format!("schemes = [\"{scheme}\"]\nunsigned_target = true");
        assert_eq!(codes(&route(&lines)), ["legacy-scheme", "target-unsigned"]);
    }
    assert!(codes(&route("unsigned_target = true")).is_empty(), "RFC 9421 signs the target");
}

#[test]
fn a_body_for_which_there_is_never_room_is_a_finding() {
    let with = |space: &str, lines: &str| codes(&format!("[gateway]\n{space}\n{}", route(lines)));
    assert_eq!(with("spool_space = \"1MiB\"", "max_body = \"2MiB\""), ["body-beyond-space"]);
    assert!(with("spool_space = \"2MiB\"", "max_body = \"2MiB\"").is_empty());
    assert!(with("spool_space = \"0B\"\nbody_in_memory = \"2MiB\"", "max_body = \"2MiB\"").is_empty());
    // What strangers can send finds half.
    let legacy = "max_body = \"2MiB\"\nschemes = [\"app-hmac\"]";
    assert_eq!(with("spool_space = \"3MiB\"", legacy), ["body-beyond-space", "legacy-scheme"]);
    let legacy = "max_body = \"2MiB\"\nschemes = [\"trusted-site\"]";
    assert_eq!(with("memory_space = \"31MiB\"", legacy), ["body-beyond-space", "legacy-scheme"]);
    assert_eq!(with("memory_space = \"32MiB\"", legacy), ["legacy-scheme"]);
}

#[test]
fn each_weakness_of_the_deployment_is_a_finding() {
    for (line, code) in [
        ("gateway.insecure_listen = true", "listen-insecure"),
        ("replay.url = \"redis://cache\"", "replay-clear"),
        ("gateway.any_authority = true", "authority-any"),
        ("gateway.trusted_proxies = [\"0.0.0.0/0\"]", "proxies-everyone"),
        ("admin.listen = \"0.0.0.0:9090\"", "admin-exposed"),
        ("evidence.durability = \"off\"", "evidence-off"),
        ("token = { issuer = \"i\", shared_users = true }", "users-shared"),
        ("token = { issuer = \"i\", lifetime = \"25h\" }", "token-long"),
        ("sidecar.allow_remote = true", "sidecar-remote"),
    ] {
        assert_eq!(codes(&format!("{line}\n{ROUTE}")), [code], "{line}");
    }
    assert_eq!(codes(""), ["no-route"]);
    assert!(codes("[sidecar]\n").is_empty());
}

#[test]
fn a_key_to_seal_for_that_anybody_on_the_way_could_exchange_is_a_finding() {
    const KID: &str = "L6m-4Z2G_74c7nRFNYQSyUoWYfrAXb2_5z6kySRQq04";
    let with = |to: &str, seal: &str| {
        let seal = format!("[sidecar.seal]\nfields = [\"/n\"]\npartner = \"a\"\n{seal}\n");
        config(&format!("[sidecar]\nto = \"{to}\"\n{seal}"))
    };
    let codes = |config: &Config| config.lint().iter().map(|finding| finding.code).collect::<Vec<_>>();
    let (https, http) = ("https://api.example.com", "http://api.example.com");
    for in_the_clear in [
        with(http, ""),
        with("http://10.0.0.1:8080", ""),
        with(https, "to = \"http://keys.example.com\""),
        with(http, "kid = \"seal-2026\""),
        // Of the length of a thumbprint, and none.
        with(http, &format!("kid = \"{}\"", KID.replace('_', "."))),
    ] {
        assert_eq!(codes(&in_the_clear), ["seal-recipient-clear"], "{:?}", in_the_clear.sidecar);
    }
    let place = |config: &Config| config.lint()[0].place.to_string();
    assert_eq!(place(&with(http, "")), "countersign.toml:2:6");
    assert_eq!(place(&with(https, "to = \"http://keys.example.com\"")), "countersign.toml:6:6");
    let pinned = format!("kid = \"{KID}\"");
    for (fine, notes) in [
        (with(https, ""), 1),
        (with(https, "kid = \"seal-2026\""), 1),
        (with(https, &pinned), 0),
        (with(http, &pinned), 0),
        (with(http, "to = \"seal.pub\""), 0),
        (with("http://127.0.0.1:8080", ""), 0),
        (with("http://localhost:8080", ""), 0),
        (with("http://[::1]:8080", ""), 0),
        (config("[sidecar]\nto = \"http://api.example.com\"\n"), 0),
    ] {
        assert_eq!((codes(&fine).len(), fine.notes().len()), (0, notes), "{:?}", fine.sidecar);
    }
}

#[test]
fn a_key_of_a_body_only_scheme_on_several_routes_is_a_finding() {
    for scheme in ["pki", "trusted-site", "app-hmac"] {
        let two = |one: &str, other: &str| {
            let route = |path: &str, partners: &str| {
                format!(
                    "[[route]]\npath = \"{path}\"\nupstream = \"http://h\"\nschemes = [\"{scheme}\"]\npartners = [{partners}]\n"
                )
            };
            codes(&(route("/a", one) + &route("/b", other))).contains(&"body-only-shared")
        };
        assert!(two("", "") && two("", "'x'") && two("'x'", "'y', 'x'"), "{scheme}");
        assert!(!two("'x'", "'y'"), "{scheme}");
    }
}

/// What was signed for the one can be sent to the other, unless the payload says what it is for.
#[test]
fn a_key_of_a_trusted_site_on_a_route_beside_the_exchange_is_a_finding() {
    let with = |token: &str, lines: &str| findings(&format!("{token}{}", route(lines)));
    let shared = |found: &[Finding]| found.iter().find(|it| it.code == "body-only-shared").map(ToString::to_string);
    for lines in ["schemes = [\"trusted-site\"]", "schemes = [\"trusted-site\"]\npartners = [\"x\"]"] {
        let told = shared(&with("token.issuer = \"i\"\n", lines)).unwrap();
        for word in ["/auth/trusted/register, /auth/trusted/login", "route /orders"] {
            assert!(told.contains(word), "{told}");
        }
        let fix = with("token.issuer = \"i\"\n", lines).iter().any(|it| it.fix.contains("`for`"));
        assert!(fix, "{lines}");
        assert_eq!(shared(&with("", lines)), None, "{lines}");
    }
    assert_eq!(shared(&with("token.issuer = \"i\"\n", "schemes = [\"pki\"]")), None);
}

#[test]
fn a_scheme_that_signs_no_header_beside_a_token_is_a_finding() {
    let with = |scheme: &str| {
        let schemes = format!("schemes = [\"http-message-signatures\", \"{scheme}\"]\nuser = \"required\"");
        codes(&format!("token.issuer = \"i\"\n{}", route(&schemes)))
    };
    assert_eq!(with("app-hmac"), ["legacy-scheme", "token-unsigned"]);
    assert_eq!(with("trusted-site"), ["body-only-shared", "legacy-scheme", "token-unsigned"]);
    assert!(codes(&format!("token.issuer = \"i\"\n{}", route("user = \"required\""))).is_empty());
    assert!(codes(&format!("token.issuer = \"i\"\n{}", route("schemes = []\nuser = \"required\""))).is_empty());
}

#[test]
fn demands_that_no_scheme_hears_are_a_finding() {
    assert_eq!(codes(&route("schemes = [\"pki\"]\nrequire = [\"@method\"]")), ["legacy-scheme", "require-idle"]);
    assert_eq!(codes(&route("schemes = [\"pki\"]")), ["legacy-scheme"]);
}

#[test]
fn a_route_that_the_gateway_answers_itself_is_a_finding() {
    let at = |path: &str| format!("[[route]]\npath = \"{path}\"\nupstream = \"http://h\"\n");
    assert_eq!(codes(&at("/.well-known/jwks.json")), ["route-shadowed"]);
    assert!(codes(&at("/auth/trusted/login")).is_empty());
    assert_eq!(codes(&format!("token.issuer = \"i\"\n{}", at("/auth/trusted/login"))), ["route-shadowed"]);
}

#[test]
fn a_finding_says_where_it_is_and_what_to_write() {
    let found = findings(&route("require = [\"@method\", \"@target-uri\"]"));
    assert_eq!(
        found[0].to_string(),
        "countersign.toml:4:11: route /orders: require has no \"content-digest\": the body can be exchanged for any other \
         (body-unsigned)"
    );
    assert_eq!(found[0].fix, "add \"content-digest\" to require");
    assert_eq!(found[0].route.as_deref(), Some("/orders"));
}

#[test]
fn findings_come_in_the_order_of_the_file() {
    let found = findings(EVERYTHING);
    assert!(found.is_sorted_by_key(|finding| finding.place.clone()));
    assert!(found.len() > 12, "{found:#?}");
}

#[test]
fn upstreams_of_two_kinds_and_a_check_without_a_choice_are_told() {
    let with = |upstream: &str| {
        format!("[[route]]\npath = \"/orders\"\nupstream = {upstream}\n[route.health]\npath = \"/health\"\n")
    };
    assert!(codes(&with("[\"http://10.0.0.1\", \"https://10.0.0.2\"]")).contains(&"upstream-mixed"));
    assert!(codes(&with("\"http://10.0.0.1\"")).contains(&"health-alone"));
    let fine = codes(&with("[\"https://10.0.0.1\", \"https://10.0.0.2\"]"));
    assert!(!fine.contains(&"health-alone") && !fine.contains(&"upstream-mixed"), "{fine:?}");
}
