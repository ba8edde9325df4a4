//! The crates of the workspace and everything they depend on, as cargo resolves it for this machine.

use std::collections::BTreeSet;
use std::env;
use std::process::Command;

use serde_json::Value;

use crate::repository;

/// What cargo says of the whole workspace.
pub struct Graph {
    metadata: Value,
}

/// A package, ours or somebody's.
pub struct Package<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its version.
    pub version: &'a str,
    /// Its SPDX licence expression, where it gives one.
    pub licence: Option<&'a str>,
    id: &'a str,
}

impl Graph {
    /// Asks cargo, for this machine only, so that nothing is fetched that is not built here.
    ///
    /// # Panics
    /// Where cargo does not answer.
    #[must_use]
    pub fn read() -> Self {
        let host = run(Command::new("rustc").arg("-vV"));
        let host = host.lines().find_map(|line| line.strip_prefix("host: ")).expect("rustc names its host");
        let metadata = cargo(&["metadata", "--format-version=1", "--locked", "--filter-platform", host]);
        Self { metadata: serde_json::from_str(&metadata).expect("cargo metadata prints JSON") }
    }

    /// Every package that is built for this machine.
    pub fn packages(&self) -> impl Iterator<Item = Package<'_>> {
        let built: BTreeSet<_> = array(&self.metadata["resolve"]["nodes"]).map(|node| string(&node["id"])).collect();
        array(&self.metadata["packages"]).map(package).filter(move |package| built.contains(package.id))
    }

    /// The names of our own packages.
    #[must_use]
    pub fn ours(&self) -> BTreeSet<&str> {
        let members: BTreeSet<_> = array(&self.metadata["workspace_members"]).map(string).collect();
        array(&self.metadata["packages"])
            .map(package)
            .filter(|package| members.contains(package.id))
            .map(|package| package.name)
            .collect()
    }

    /// The names of what a package of ours names in its manifest, of whatever kind: for building, running or testing.
    #[must_use]
    pub fn named_by(&self, name: &str) -> BTreeSet<&str> {
        array(&self.metadata["packages"])
            .filter(|package| string(&package["name"]) == name && package["source"].is_null())
            .flat_map(|package| array(&package["dependencies"]))
            .map(|dependency| string(&dependency["name"]))
            .collect()
    }

    /// The names of everything that is built for this machine, for whatever: shipping, building or testing. (The lock and
    /// `cargo metadata` also name what an optional feature of somebody's would bring if it were on.)
    ///
    /// # Panics
    /// Where cargo does not answer.
    #[must_use]
    pub fn built() -> BTreeSet<String> {
        let tree = cargo(&["tree", "--locked", "--workspace", "--edges=all", "--prefix=none", "--format={p}"]);
        tree.lines().filter_map(|line| line.split_whitespace().next()).map(str::to_owned).collect()
    }

    /// The names of everything that ends up in what a package of ours ships, over any number of steps, where it is built
    /// alone: all but dev-dependencies. (Built together with the others, crates have features that only those ask for.)
    ///
    /// # Panics
    /// Where cargo does not answer.
    #[must_use]
    pub fn shipped_with(name: &str) -> BTreeSet<String> {
        let tree = cargo(&["tree", "--locked", "--package", name, "--edges=no-dev", "--prefix=none", "--format={p}"]);
        let names = tree.lines().filter_map(|line| line.split_whitespace().next());
        names.filter(|other| *other != name).map(str::to_owned).collect()
    }
}

fn package(value: &Value) -> Package<'_> {
    Package {
        name: string(&value["name"]),
        version: string(&value["version"]),
        licence: value["license"].as_str(),
        id: string(&value["id"]),
    }
}

fn array(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().expect("cargo metadata has an array here").iter()
}

fn string(value: &Value) -> &str {
    value.as_str().expect("cargo metadata has a string here")
}

fn cargo(arguments: &[&str]) -> String {
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    run(Command::new(cargo).args(arguments).current_dir(repository::root()))
}

fn run(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("tools print UTF-8")
}
