use std::path::Path;

use super::*;
use crate::config::{RegistryUrl, Source};

fn with(name: &str, value: &str) -> Config {
    let (config, _) = read_with("[gateway]\nlisten = [\"127.0.0.1:1\"]\n", &[(name, value)]).unwrap();
    config
}

fn error(name: &str, value: &str) -> String {
    read_with(ROUTE, &[(name, value)]).unwrap_err().message()
}

#[test]
fn a_variable_overrides_the_file() {
    assert_eq!(with("COUNTERSIGN_GATEWAY__LISTEN", "127.0.0.1:2").gateway.listen, ["127.0.0.1:2".parse().unwrap()]);
    assert_eq!(with("COUNTERSIGN_GATEWAY__LISTEN", "127.0.0.1:2, [::1]:3").gateway.listen.len(), 2);
    assert_eq!(with("COUNTERSIGN_GATEWAY__LISTEN", "[\"127.0.0.1:2\"]").gateway.listen.len(), 1);
    assert_eq!(with("COUNTERSIGN_GATEWAY__WORKERS", "2").gateway.workers, Some(2));
    assert!(with("COUNTERSIGN_GATEWAY__INSECURE_LISTEN", "true").gateway.insecure_listen);
    assert_eq!(with("COUNTERSIGN_GATEWAY__HEAD_TIMEOUT", "3s").gateway.limits.head_timeout.as_secs(), 3);
    assert_eq!(with("COUNTERSIGN_GATEWAY__HEAD_TIMEOUT", "\"3s\"").gateway.limits.head_timeout.as_secs(), 3);
    assert_eq!(with("COUNTERSIGN_GATEWAY__MAX_HEAD", "9000").gateway.limits.max_head, 9000);
}

#[test]
fn a_number_is_a_text_where_a_text_is_wanted() {
    assert_eq!(with("COUNTERSIGN_DATA", "2026").data, Path::new("/etc/2026"));
    assert_eq!(with("COUNTERSIGN_SIDECAR__ID", "1.5").sidecar.unwrap().id.as_deref(), Some("1.5"));
}

#[test]
fn the_registry_follows_the_data_directory() {
    let config = with("COUNTERSIGN_DATA", "/srv/c");
    assert_eq!(config.registry.url, Source::Url(RegistryUrl::Sqlite("/srv/c/registry.db".into())));
}

#[test]
fn a_variable_can_make_a_section() {
    assert!(with("COUNTERSIGN_SIDECAR__KEY", "k.pem").sidecar.is_some());
    let error = error("COUNTERSIGN_GATEWAY__TLS__KEY", "k.pem");
    assert!(error.contains("[gateway.tls] lacks \"certificate\""), "{error}");
}

#[test]
fn a_wrong_variable_is_told_by_its_name() {
    assert_eq!(
        error("COUNTERSIGN_GATEWAY__HEAD_TIMEOUT", "300").lines().next().unwrap(),
        "COUNTERSIGN_GATEWAY__HEAD_TIMEOUT: head_timeout is \"300\": expected a duration such as \"300ms\", \"30s\", \"5m\", \
         \"1h30m\" or \"1d\""
    );
    assert!(error("COUNTERSIGN_GATEWAY__LISTEN", "localhost:80").contains("listen has \"localhost:80\""));
    assert!(error("COUNTERSIGN_GATEWAY__LISTEN", "").contains("listen is empty"));
    assert!(error("COUNTERSIGN_GATEWAY__LISTEN", "0.0.0.0:80").starts_with("COUNTERSIGN_GATEWAY__LISTEN: "));
    assert!(
        error("COUNTERSIGN_GATEWAY__INSECURE_LISTEN", "yes")
            .contains("insecure_listen is \"yes\": expected true or false")
    );
}

#[test]
fn an_unknown_variable_is_an_error_that_names_the_nearest() {
    assert_eq!(
        error("COUNTERSIGN_GATEWAY__LISTN", "x"),
        "COUNTERSIGN_GATEWAY__LISTN: no setting of this name: did you mean COUNTERSIGN_GATEWAY__LISTEN?"
    );
    assert!(error("COUNTERSIGN_TOKN__ISSUER", "x").ends_with("did you mean COUNTERSIGN_TOKEN__ISSUER?"));
    assert!(error("COUNTERSIGN_GATEWAY", "x").contains("did you mean COUNTERSIGN_GATEWAY__"));
    assert!(read_with(ROUTE, &[("COUNTERSIGN_LOG", "debug"), ("PATH", "/bin")]).is_ok());
}

#[test]
fn a_route_can_not_be_overridden() {
    for name in [
        "COUNTERSIGN_ROUTE__PATH",
        "COUNTERSIGN_ROUTE[0]__PATH",
        "COUNTERSIGN_ROUTE__0__MAX_AGE",
        "COUNTERSIGN_ROUTE[]__PATH",
    ] {
        let error = error(name, "/x");
        assert!(error.contains("list of tables") || error.contains("no setting of this name"), "{error}");
    }
}

#[test]
fn a_variable_takes_the_place_of_what_is_wrong_in_the_file() {
    assert!(read_with("[gateway]\nworkers = \"many\"\n", &[("COUNTERSIGN_GATEWAY__WORKERS", "4")]).is_ok());
}

#[test]
fn what_is_not_there_yet_is_not_there_from_the_environment_either() {
    assert!(error("COUNTERSIGN_REGISTRY__URL", "postgres://db/r").contains("PostgreSQL is not there yet"));
}

/// What else the section says would be gone: for whom, which key, and what may be absent.
#[test]
fn a_variable_makes_no_list_of_a_section_that_the_file_has() {
    let file = "[sidecar]\npartner = \"acme\"\n[sidecar.seal]\nfields = [\"/a\"]\nif_present = [\"/c\"]\n";
    let said = read_with(file, &[("COUNTERSIGN_SIDECAR__SEAL", "/b")]).unwrap_err().to_string();
    assert!(said.contains("COUNTERSIGN_SIDECAR__SEAL: ") && said.contains("[sidecar.seal]"), "{said}");
    assert!(said.contains("COUNTERSIGN_SIDECAR__SEAL__FIELDS"), "{said}");
    let seal = |file: &str, name: &str| {
        let (config, _) = read_with(file, &[(name, "/b")]).unwrap();
        let seal = config.sidecar.unwrap().seal.unwrap();
        (seal.fields, seal.if_present)
    };
    let (b, c) = (vec!["/b".to_owned()], vec!["/c".to_owned()]);
    assert_eq!(seal(file, "COUNTERSIGN_SIDECAR__SEAL__FIELDS"), (b.clone(), c));
    for file in ["[sidecar]\npartner = \"acme\"\n", "[sidecar]\npartner = \"acme\"\nseal = [\"/a\"]\n"] {
        assert_eq!(seal(file, "COUNTERSIGN_SIDECAR__SEAL"), (b.clone(), Vec::new()));
    }
}
