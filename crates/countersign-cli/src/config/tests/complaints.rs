use super::*;

#[test]
fn an_unknown_key_is_an_error_that_names_the_nearest_one_and_its_place() {
    assert_eq!(
        fault(&route("require_ = []")),
        "countersign.toml:4:1: unknown key \"require_\": did you mean \"require\"?"
    );
    assert_eq!(fault("\n  dta = \"x\"\n"), "countersign.toml:2:3: unknown key \"dta\": did you mean \"data\"?");
    assert_eq!(fault("[gatway]\n"), "countersign.toml:1:2: unknown key \"gatway\": did you mean \"gateway\"?");
    assert_eq!(fault("gateway.tls_ = 1\n"), "countersign.toml:1:9: unknown key \"tls_\": did you mean \"tls\"?");
    assert!(fault(&route("[route.pki_]\n")).contains("did you mean \"pki\"?"));
}

#[test]
fn a_key_in_the_wrong_section_is_told_where_it_belongs() {
    assert_eq!(hints("[admin]\nmax_age = \"5m\"\n"), ["\"max_age\" belongs in [[route]]"]);
    assert_eq!(hints("[admin]\ndata = \"x\"\n"), ["\"data\" belongs at the top, before the first section"]);
    assert_eq!(hints("[admin]\ncolour = 1\n"), ["known in [admin]: listen"]);
    assert_eq!(hints(&route("[route.trusted_site]\nx = 1")), ["there are no keys in [route.trusted_site] yet"]);
}

#[test]
fn an_unknown_key_is_quoted_on_one_line() {
    assert!(fault("\"a\\nb\\u001b[31m\" = 1\n").contains("unknown key \"a\\nb\\u{1b}[31m\""));
}

#[test]
fn a_wrong_value_is_told_with_its_place_and_what_is_allowed() {
    assert_eq!(
        fault(&route("mode = \"observ\"\nschemes = [\"http-message-signatures\"]")),
        "countersign.toml:4:8: mode is \"observ\": expected \"enforce\" or \"observe\"; did you mean \"observe\"?"
    );
    assert_eq!(
        fault(&route("schemes = [\n  \"pki\",\n  \"trusted_site\",\n]")),
        "countersign.toml:6:3: schemes has \"trusted_site\": expected \"http-message-signatures\", \"pki\", \"trusted-site\" or \
         \"app-hmac\"; did you mean \"trusted-site\"?"
    );
    assert!(
        fault(&route("[route.http_message_signatures]\nalgorithms = [\"ed2519\"]"))
            .ends_with("did you mean \"ed25519\"?")
    );
    assert!(fault("gateway = 1\n").contains("expected a section"));
    assert!(fault("gateway.workers = 1.5\n").contains("workers is 1.5: expected a whole number"));
    assert!(fault("gateway.workers = 99999999999999999999\n").contains("expected a whole number"));
    assert!(fault("gateway.insecure_listen = \"true\"\n").contains("expected true or false"));
}

#[test]
fn a_list_is_written_as_one() {
    assert_eq!(hints("gateway.listen = \"127.0.0.1:1\"\n"), ["write listen = [\"127.0.0.1:1\"]"]);
    assert!(fault(&route("partners = [\"a\", \"a\"]")).contains("partners has \"a\" twice"));
}

#[test]
fn sections_and_lists_of_sections_are_not_taken_for_each_other() {
    assert_eq!(hints("[route]\npath = \"/\"\n"), ["write [[route]], with two brackets"]);
    assert_eq!(hints("[[gateway]]\n"), ["write [gateway] above the keys of the section"]);
    assert!(fault("route = [1]\n").contains("route has 1: expected a section"));
}

#[test]
fn a_route_without_path_or_upstream_is_an_error_at_its_head() {
    let faults = faults("[[route]]\nmode = \"enforce\"\n");
    assert_eq!(
        faults,
        ["countersign.toml:1:1: [[route]] lacks \"path\"", "countersign.toml:1:1: [[route]] lacks \"upstream\""]
    );
}

#[test]
fn a_duration_without_unit_is_refused_with_a_hint() {
    assert_eq!(hints(&route("max_age = 300")), ["write max_age = \"300s\" if seconds are meant"]);
    assert_eq!(hints(&route("max_age = \"300\"")), ["write max_age = \"300s\" if seconds are meant"]);
    assert!(fault(&route("max_age = -5")).contains("expected a duration"));
}

#[test]
fn a_window_of_zero_is_no_way_to_have_none() {
    assert!(fault(&route("max_age = \"0s\"")).contains("max_age is 0s: expected 1s to 30d"));
    assert!(fault(&route("max_age = 0")).contains("max_age is 0: expected a duration"));
    assert!(fault(&route("rate = \"0/s\"")).contains("expected a rate above zero"));
    for key in [
        "head_timeout",
        "body_timeout",
        "idle_timeout",
        "tunnel_idle_timeout",
        "write_timeout",
        "connect_timeout",
        "upstream_timeout",
    ] {
        assert!(fault(&format!("gateway.{key} = \"0s\"\n")).contains("expected 100ms to 1h"), "{key}");
    }
    for key in ["workers", "max_connections", "max_connections_per_source", "max_headers", "max_streams", "max_resets"]
    {
        assert!(fault(&format!("gateway.{key} = 0\n")).contains(&format!("{key} is 0: expected")), "{key}");
    }
}

#[test]
fn several_faults_are_told_at_once_in_the_order_of_the_file() {
    let error = read("dta = 1\n[gateway]\nworkers = \"x\"\n[[route]]\npath = \"orders\"\nupstream = \"ftp://h\"\n")
        .unwrap_err();
    let lines: Vec<String> = error.issues().iter().map(|issue| issue.place().to_string()).collect();
    assert_eq!(
        lines,
        [
            "/etc/countersign.toml:1:1",
            "/etc/countersign.toml:3:11",
            "/etc/countersign.toml:5:8",
            "/etc/countersign.toml:6:12"
        ]
    );
    assert!(error.to_string().contains("\nhint: write path = \"/orders\"\n"), "{error}");
}

#[test]
fn a_mistake_of_syntax_is_told_with_its_place() {
    let error = read("data = \"x\n[gateway]\n").unwrap_err();
    assert!(error.message().starts_with("/etc/countersign.toml:1:10: "), "{error}");
}

#[test]
fn passwords_are_in_no_complaint() {
    for text in [
        "registry.url = \"postgres://u:geheim@h/db\"\n",
        "registry.url = \"mysql://u:geheim@h/db\"\n",
        "replay.url = \"redis://:geheim@h?x=geheim\"\n",
        "[[route]]\npath = \"/\"\nupstream = \"http://u:geheim@h\"\n",
        "[[route]]\npath = \"/\"\nupstream = \"u:geheim@h\"\n",
    ] {
        let error = read(text).unwrap_err();
        assert!(!error.to_string().contains("geheim"), "{error}");
    }
    assert!(!format!("{:?}", config("registry.url = \"postgres://u:geheim@h/db\"\n")).contains("geheim"));
}

#[test]
fn no_text_makes_the_reader_panic() {
    for end in (0..EVERYTHING.len()).step_by(11) {
        let _ = read(&EVERYTHING[..end]);
    }
    for noise in
        ["\0", "\u{feff}", "[[[[", "a.b.c.d = {{{", "\"", "route = [[{}]]", "gateway = {tls = {tls = {}}}", "é=é"]
    {
        let _ = read(noise);
        let _ = read(&route(noise));
    }
}

#[test]
fn every_key_with_a_slip_is_told_with_the_one_that_was_meant() {
    for (number, line) in EVERYTHING.lines().enumerate() {
        let Some((key, value)) = line.split_once(" = ") else { continue };
        let slip =
            |(at, line): (usize, &str)| if at == number { format!("{key}_ = {value}\n") } else { format!("{line}\n") };
        let told = faults(&EVERYTHING.lines().enumerate().map(slip).collect::<String>());
        let wanted = format!("countersign.toml:{}:1: unknown key \"{key}_\": did you mean \"{key}\"?", number + 1);
        assert!(told.contains(&wanted), "{wanted}\n{told:#?}");
    }
}
