//! What a user sees: text in, a configuration or complaints out.

mod checks;
mod complaints;
mod environment;
mod lints;
mod not_yet;
mod reading;
mod start;

use std::path::Path;

use super::{Config, ConfigError, Finding, Issue, Understood, Warning};

/// Every setting of the contract, with a value that is not its default.
const EVERYTHING: &str = include_str!("tests/everything.toml");

const ROUTE: &str = "[[route]]\npath = \"/orders\"\nupstream = \"http://127.0.0.1:9000\"\n";

/// As the binary reads it.
fn read(text: &str) -> Result<(Config, Vec<Warning>), ConfigError> {
    read_with(text, &[])
}

fn read_with(text: &str, environment: &[(&str, &str)]) -> Result<(Config, Vec<Warning>), ConfigError> {
    let environment = environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    Config::read(text, Path::new("/etc/countersign.toml"), environment)
}

/// As it will be read when everything that is promised is there.
fn understood(text: &str) -> Understood {
    Understood::of(text, Path::new("countersign.toml"), std::iter::empty()).unwrap()
}

fn config(text: &str) -> Config {
    let understood = understood(text);
    assert!(understood.issues.is_empty(), "{:#?}", understood.issues);
    understood.config
}

/// A configuration with one route, which has these lines, too.
fn route(lines: &str) -> String {
    format!("{ROUTE}{lines}\n")
}

/// What is wrong with it.
fn faults(text: &str) -> Vec<String> {
    understood(text).issues.iter().map(Issue::message).collect()
}

/// The one thing that is wrong with it.
fn fault(text: &str) -> String {
    let faults = faults(text);
    assert_eq!(faults.len(), 1, "{text}\n{faults:#?}");
    faults.concat()
}

/// The hints to the one thing that is wrong with it.
fn hints(text: &str) -> Vec<String> {
    understood(text).issues.iter().flat_map(Issue::hints).cloned().collect()
}

fn findings(text: &str) -> Vec<Finding> {
    config(text).lint()
}

fn codes(text: &str) -> Vec<&'static str> {
    findings(text).iter().map(|finding| finding.code).collect()
}
