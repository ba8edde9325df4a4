use std::path::Path;

use super::*;
use crate::config::document::Table;
use crate::config::init_file;
use crate::config::reader::Reader;

/// The file with everything switched on that is commented out, but for what stands in the place of something else.
fn uncommented() -> String {
    let setting = |line: &str| {
        line.strip_prefix('#').filter(|rest| !rest.is_empty() && !rest.starts_with(' ')).map(str::to_owned)
    };
    init_file()
        .lines()
        .filter(|line| !line.starts_with("#url_file"))
        .map(|line| setting(line).unwrap_or_else(|| line.to_owned()) + "\n")
        .collect()
}

#[test]
fn the_first_file_is_fine_as_it_is() {
    let (config, warnings) = read(init_file()).unwrap();
    assert!(warnings.is_empty(), "{warnings:?}");
    assert!(config.lint().is_empty(), "{:#?}", config.lint());
}

#[test]
fn the_first_file_sets_this_and_nothing_else() {
    let set: Vec<&str> = init_file()
        .lines()
        .map(|line| line.split(" #").next().unwrap_or_default().trim_end())
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .collect();
    assert_eq!(
        set,
        [
            "[[route]]",
            "path = \"/orders\"",
            "upstream = \"http://127.0.0.1:9000\"",
            "schemes = [\"http-message-signatures\"]",
            "require = [\"@method\", \"@authority\", \"@path\", \"@query\", \"content-type\", \"content-digest\"]",
            "max_age = \"5m\"",
            "max_skew = \"30s\"",
            "max_body = \"10MiB\"",
            "[gateway]",
            "listen = [\"127.0.0.1:8080\"]",
            "[admin]",
            "listen = \"127.0.0.1:9090\"",
        ]
    );
}

#[test]
fn the_first_file_is_strict() {
    let config = config(init_file());
    let [route] = config.routes.as_slice() else { panic!("one example") };
    for part in ["@method", "@authority", "@path", "@query", "content-type", "content-digest"] {
        assert!(route.require.iter().any(|demanded| demanded == part), "{part}");
    }
    assert_eq!((route.max_age.as_secs(), route.max_skew.map(|skew| skew.as_secs())), (300, Some(30)));
    assert!(config.gateway.listen.iter().chain([&config.admin.listen]).all(|address| address.ip().is_loopback()));
}

#[test]
fn what_is_commented_out_in_the_first_file_can_be_switched_on() {
    let understood = understood(&uncommented());
    let told: Vec<String> = understood.issues.iter().map(Issue::message).collect();
    assert_eq!(told, Vec::<String>::new());
}

#[test]
fn the_first_file_names_every_setting() {
    let mut reader = Reader::new(Path::new("c.toml"), std::iter::empty());
    reader.read(Table::new(), |document| Config::of(document, Path::new("c.toml")));
    let lines = || init_file().lines().map(|line| line.trim_start_matches('#'));
    for known in reader.known.iter().filter(|it| !it.is_section) {
        assert!(lines().any(|line| line.starts_with(&format!("{} = ", known.key))), "{known:?}");
    }
}

#[test]
fn what_is_commented_out_with_a_default_shows_it() {
    let shown = config(&uncommented());
    let config = config(ROUTE);
    assert_eq!(format!("{:?}", shown.gateway.limits), format!("{:?}", config.gateway.limits));
    assert_eq!(shown.registry.max_stale, config.registry.max_stale);
    assert_eq!(shown.replay.max_entries, config.replay.max_entries);
    assert_eq!(shown.data, config.data);
    let (one, other) = (&shown.routes[0], &config.routes[0]);
    assert_eq!(
        (one.mode, one.refusals, one.channel, one.user),
        (other.mode, other.refusals, other.channel, other.user)
    );
    assert_eq!((one.max_age, one.max_body, one.sign_responses), (other.max_age, other.max_body, other.sign_responses));
}

#[test]
fn the_first_file_fits_a_screen_in_width_and_each_line_says_something() {
    let lines: Vec<&str> = init_file().lines().collect();
    assert!(lines.iter().all(|line| line.chars().count() <= 120));
    assert!(!init_file().contains("\n\n\n") && init_file().ends_with('\n') && !init_file().contains(" \n"));
}
