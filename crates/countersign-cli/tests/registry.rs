//! Partners and keys, with and without a configuration; and what a broken configuration comes to.

mod support;

use support::Dir;

#[test]
fn partners_and_keys_need_no_configuration() {
    let dir = Dir::new();
    let none = dir.run("partner list");
    assert_eq!(none.code, 2, "{none:?}");
    assert!(none.err.contains("hint: countersign partner add"), "{none:?}");
    let added = dir.run("partner add acme");
    assert!(added.err.contains("making countersign-data") && added.out.contains("countersign key add"), "{added:?}");
    assert!(dir.path("countersign-data/registry.db").exists());
    assert_eq!(dir.run("partner add acme").code, 2);
    assert_eq!(dir.run("partner add a/b").code, 2);
    let partners: serde_json::Value = serde_json::from_str(&dir.fine("partner list --json")).unwrap();
    assert_eq!(partners["partners"][0]["name"], "acme");

    dir.fine("key generate --algorithm ed25519 --out a");
    dir.fine("key generate --algorithm hmac-sha256 --out secret");
    let add = "key add --partner acme --scheme http-message-signatures";
    dir.fine(&format!("{add} --id a-1 --algorithm ed25519 --public-key a.pub --not-after 90d"));
    dir.fine(&format!("{add} --id h-1 --algorithm hmac-sha256 --secret-file secret --pending"));
    let form = "--timestamp-unit milliseconds --nonce-form uuid --layout payload-first";
    let app = "key add --partner acme --scheme app-hmac --algorithm hmac-sha256 --secret-file other --id app";
    dir.fine("key generate --algorithm hmac-sha256 --out other");
    dir.fine(&format!("{app} {form}"));
    let keys: serde_json::Value = serde_json::from_str(&dir.fine("key list --json")).unwrap();
    let states: Vec<_> = keys["keys"].as_array().unwrap().iter().map(|key| key["state"].as_str().unwrap()).collect();
    assert_eq!(states, ["active", "active", "pending"]);
    assert_eq!(keys["keys"][0]["form"]["layout"], "payload-first");
    let secret = dir.read("secret");
    for out in
        [dir.fine("key list"), dir.fine("key list --json"), dir.fine("key show h-1"), dir.fine("partner show acme")]
    {
        assert!(!out.contains(&secret), "{out}");
    }
    dir.fine("key activate h-1");
    dir.fine("key retire h-1");
    assert!(dir.fine("key show h-1").contains("retired"));
}

#[test]
fn a_second_key_under_an_id_is_its_next_version() {
    let dir = Dir::new();
    dir.fine("partner add acme");
    dir.fine("partner add bolt");
    let add = "--scheme http-message-signatures --algorithm ed25519 --id a-1";
    for key in ["one", "two"] {
        dir.fine(&format!("key generate --algorithm ed25519 --out {key}"));
    }
    dir.fine(&format!("key add --partner acme {add} --public-key one.pub"));
    let out = dir.fine(&format!("key add --partner acme {add} --public-key two.pub"));
    assert!(out.contains("version 2") && out.contains("retiring     version 1"), "{out}");
    for line in [
        format!("key add --partner bolt {add} --public-key two.pub"),
        format!("key add --partner nobody {add} --public-key two.pub"),
        "key add --partner bolt --scheme http-message-signatures --algorithm ed25519 --id b --public-key two.pub"
            .to_owned(),
        "key add --partner bolt --scheme pki --algorithm rsa-pss-sha256 --id b --public-key two.pub".to_owned(),
        "key add --partner bolt --scheme pki --algorithm ed25519 --id b --public-key two.pub".to_owned(),
        "key add --partner bolt --scheme http-message-signatures --algorithm ed25519 --id b --public-key two"
            .to_owned(),
        "key add --partner bolt --scheme http-message-signatures --algorithm ed25519 --id b --secret-file two"
            .to_owned(),
        "key add --partner bolt --scheme http-message-signatures --algorithm ed25519 --id b".to_owned(),
        "key revoke a-1".to_owned(),
        "key show nothing".to_owned(),
    ] {
        let ran = dir.run(&line);
        assert_eq!(ran.code, 2, "{line}: {ran:?}");
        assert!(ran.err.starts_with("countersign: error: ") && ran.err.contains("\nhint: "), "{line}: {ran:?}");
    }
    let shared = "key add --partner bolt --scheme http-message-signatures --algorithm ed25519 --id b";
    dir.fine(&format!("{shared} --public-key two.pub --shared"));
}

#[test]
fn a_change_says_what_became_of_each_version_and_what_was_so_already() {
    let dir = Dir::new();
    dir.fine("partner add acme");
    for key in ["one", "two"] {
        dir.fine(&format!("key generate --algorithm ed25519 --out {key}"));
        dir.fine(&format!(
            "key add --partner acme --scheme http-message-signatures --algorithm ed25519 --id a-1 --public-key {key}.pub"
        ));
    }
    let out = dir.fine("key activate a-1 --version 1");
    assert!(out.starts_with("activated  key a-1, version 1, of partner acme\nretiring   key a-1, version 2,"), "{out}");
    let out = dir.fine("key activate a-1 --version 1");
    assert!(out.starts_with("unchanged  key a-1, version 1: it is active already\n"), "{out}");
    let out = dir.fine("key retire a-1 --version 2");
    assert!(out.starts_with("retired    key a-1, version 2,") && out.contains("activate brings it back"), "{out}");
    assert!(
        dir.fine("key retire a-1 --version 2").starts_with("unchanged  key a-1, version 2: it is retired already\n")
    );
    let out = dir.fine("key revoke a-1 --reason \"laptop stolen\"");
    assert!(out.starts_with("revoked    key a-1, version ") && out.contains("it can't be undone"), "{out}");
    assert!(dir.fine("key revoke a-1 --reason again").starts_with("unchanged  key a-1: it is revoked already\n"));
    assert!(dir.fine("key show a-1").contains("laptop stolen") && !dir.fine("key show a-1").contains("again"));

    assert!(dir.fine("partner suspend acme").starts_with("suspended  partner acme: "));
    assert!(dir.fine("partner suspend acme").starts_with("unchanged  partner acme: suspended already\n"));
    assert!(dir.fine("partner resume acme").starts_with("resumed    partner acme: "));
    assert!(dir.fine("partner resume acme").starts_with("unchanged  partner acme: active already\n"));
}

#[test]
fn a_file_that_is_not_there_or_the_wrong_half_is_named_with_what_to_type() {
    let dir = Dir::new();
    dir.fine("key generate --algorithm ed25519 --out key");
    for command in ["sign", "curl http://127.0.0.1:1/", "sidecar --listen 127.0.0.1:0 --to http://127.0.0.1:1"] {
        let run = |key: &str| dir.run_with(&format!("{command} --key {key} --id k"), b"GET / HTTP/1.1\nHost: a\n\n");
        let absent = run("absent");
        assert_eq!(absent.code, 2, "{absent:?}");
        assert!(
            absent.err.contains("\nhint: countersign key generate --algorithm ed25519 --out absent\n"),
            "{absent:?}"
        );
        let public = run("key.pub");
        assert!(public.code == 2 && public.err.contains("\nhint: --key key\n"), "{public:?}");
    }
    let nowhere = dir.run("key generate --algorithm ed25519 --out no/key");
    assert!(nowhere.code == 2 && nowhere.err.contains("\nhint: mkdir -p no\n"), "{nowhere:?}");
    let unknown = dir.run("key generate --algorithm rot13 --out x");
    assert!(
        unknown.err.contains("'rot13'") && unknown.err.contains("\nhint: possible values: ed25519, "),
        "{unknown:?}"
    );
}

#[test]
fn a_broken_configuration_says_where() {
    let dir = Dir::new();
    dir.write("countersign.toml", "[[route]]\npath = \"/a\"\nupstream = \"http://127.0.0.1:1\"\nmax_aeg = \"5m\"\n");
    for line in ["gateway", "lint", "partner add acme", "verify", "key list"] {
        let ran = dir.run(line);
        assert_eq!(ran.code, 2, "{line}: {ran:?}");
        assert!(ran.err.contains("countersign: error: countersign.toml:4:"), "{line}: {ran:?}");
        assert!(ran.err.contains("max_age"), "{line}: {ran:?}");
    }
    let absent = dir.run("gateway --config absent.toml");
    assert_eq!(absent.code, 2);
    assert!(absent.err.contains("hint: countersign init"), "{absent:?}");
}

#[test]
fn lint_exits_with_20_where_it_finds_something() {
    let dir = Dir::new();
    let route = "[evidence]\ndurability = \"off\"\n[[route]]\npath = \"/a\"\nupstream = \"http://127.0.0.1:1\"\n";
    dir.write("countersign.toml", &format!("{route}require = [\"@method\"]\n"));
    let found = dir.run("lint");
    assert_eq!(found.code, 20, "{found:?}");
    assert!(found.out.contains("countersign.toml:6:") && found.out.contains("hint: "), "{found:?}");
    let json: serde_json::Value = serde_json::from_str(&dir.run("lint --json").out).unwrap();
    assert!(json["findings"].as_array().is_some_and(|findings| !findings.is_empty()), "{json}");
}

#[test]
fn verify_judges_as_the_gateway_would() {
    let dir = Dir::new();
    let route = "[gateway]\npublic_url = [\"https://api.example.com\"]\n[[route]]\npath = \"/a\"\nupstream = \"http://127.0.0.1:1\"\n";
    dir.write("countersign.toml", route);
    dir.fine("partner add acme");
    dir.fine("key generate --algorithm ed25519 --out a");
    dir.fine("key add --partner acme --id a-1 --scheme http-message-signatures --algorithm ed25519 --public-key a.pub");
    let message = "GET /a/b HTTP/1.1\nHost: api.example.com\n\n";
    let signed = dir.fine_with("sign --key a --id a-1", message.as_bytes());
    assert!(dir.fine_with("verify", signed.as_bytes()).contains("partner    acme"));
    assert_eq!(dir.run_with("verify", signed.replace("/a/b", "/ab").as_bytes()).code, 2, "no route");
    assert_eq!(dir.run_with("verify", signed.replace("api.", "www.").as_bytes()).code, 2, "another Host");
    assert_eq!(dir.run_with("verify", signed.replace("a-1", "a-2").as_bytes()).code, 11);
    assert_eq!(dir.run_with("verify --require none", signed.as_bytes()).code, 2);
    dir.fine("key revoke a-1 --reason lost");
    let revoked = dir.run_with("verify", signed.as_bytes());
    assert_eq!((revoked.code, revoked.out.contains("key_not_usable")), (11, true), "{revoked:?}");
}
