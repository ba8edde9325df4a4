use super::*;

fn promised(text: &str) -> (Vec<String>, Vec<String>) {
    let understood = understood(text);
    assert!(understood.issues.is_empty(), "{:#?}", understood.issues);
    let messages = |issues: &[Issue]| issues.iter().map(Issue::message).collect::<Vec<_>>();
    (messages(&understood.not_yet), messages(&understood.warnings))
}

#[test]
fn what_is_missing_and_makes_traffic_less_safe_is_an_error() {
    for text in [
        "registry.url = \"postgres://h/db\"\n".to_owned(),
        "registry.url_file = \"f\"\n".to_owned(),
        route("sign_responses = true"),
    ] {
        let (errors, warnings) = promised(&text);
        assert_eq!((errors.len(), warnings.len()), (1, 0), "{text}\n{errors:#?}");
        assert!(errors[0].contains(" yet"), "{errors:?}");
        assert!(read(&text).is_err());
    }
}

#[test]
fn what_is_missing_and_makes_traffic_no_less_safe_is_a_warning() {
    for text in ["evidence.durability = \"strict\"\n".to_owned(), "evidence.durability = \"buffered\"\n".to_owned()] {
        let (_, warnings) = read(&text).unwrap();
        assert_eq!(warnings.len(), 1, "{text}");
        assert!(warnings[0].message().contains(" yet"), "{warnings:?}");
    }
}

#[test]
fn a_setting_that_asks_for_nothing_is_no_promise() {
    let text = "[gateway]\ntrusted_proxies = []\n[registry]\nurl = \"sqlite:r.db\"\ntrusted_sites = \"keys\"\n[replay]\nurl = \"memory:\"\n[evidence]\n\
                durability = \"off\"\n[seal]\nkeys = []\n";
    let lines = "mode = \"observe\"\nchannel = \"any\"\nopen = []\nunbound = false\nuser = \"ignored\"\nsign_responses = false\n\
                 schemes = [\"http-message-signatures\", \"pki\", \"trusted-site\", \"app-hmac\"]\n";
    let (_, warnings) = read(&format!("{text}{}", route(lines))).unwrap();
    assert!(warnings.is_empty(), "{warnings:?}");
}

#[test]
fn a_promise_is_told_with_its_place_and_value() {
    let (errors, _) = promised(&route("sign_responses = true"));
    assert_eq!(errors, ["countersign.toml:4:18: sign_responses = true: responses are not signed yet"]);
}

#[test]
fn promises_and_faults_are_told_together() {
    let error = read(&route("sign_responses = true\nrequire_ = []")).unwrap_err();
    assert_eq!(error.issues().len(), 2, "{error}");
}
