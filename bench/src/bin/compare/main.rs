//! Our gateway beside what people use today: CPU time per request, on one machine, in turns. `bench/compare` builds what it
//! needs and starts it; bench/COMPARE.md says what is measured, and how.
//!
//! A `process` is a proxy under test, pinned to a core: `peers` or `ours`. `drive` is the origin and the callers, on the other
//! core, who send `messages`. `rounds` lets the contenders take turns and asks the `kernel` what each took; `report` and `plot`
//! tell it.

mod checks;
mod contenders;
mod drive;
mod frame;
mod kernel;
mod memory;
mod messages;
mod ours;
mod peers;
mod plot;
mod primitive;
mod process;
mod report;
mod rounds;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use drive::Field;
use report::Results;
use rounds::Size;

fn main() {
    let settings = Settings::read();
    let mut field = Field::new(address(ORIGIN));
    let stage = contenders::Stage::set(&settings, address(ORIGIN));
    let contenders = stage.contenders(&settings);
    checks::refuse_what_they_should(&contenders, &mut field, &settings);
    let mut results = Results::new(contenders.iter().map(|contender| contender.name).collect());
    for round in 0..settings.rounds {
        for turn in 0..contenders.len() {
            // Nobody always runs behind the same one.
            let at = (turn + round) % contenders.len();
            results.add(at, round, contenders[at].turn(&mut field, settings.size));
        }
        results.bare(primitive::measure(&stage.authors));
        eprintln!("round {} of {}", round + 1, settings.rounds);
    }
    if settings.wants("memory") {
        results.memory = Some(memory::measure(&stage, &settings, &mut field));
    }
    results.tell(&settings.dir);
}

/// What the command line says: `--dir D --countersign F --envoy F`, and `--rounds N --requests N --connections N --core N
/// --only WORD`.
pub struct Settings {
    /// Where certificates lie, and where all that is made goes.
    pub dir: PathBuf,
    /// Our binary.
    pub countersign: PathBuf,
    /// Envoy's.
    pub envoy: PathBuf,
    /// How often everybody has a turn.
    pub rounds: usize,
    /// How much is measured in a turn.
    pub size: Size,
    /// The core of whoever is measured.
    pub core: String,
    /// Only contenders whose name holds one of these words.
    pub only: Vec<String>,
}

impl Settings {
    fn read() -> Self {
        let mut settings = Self {
            dir: PathBuf::new(),
            countersign: PathBuf::new(),
            envoy: PathBuf::new(),
            rounds: 12,
            size: Size { requests: 10_000, connections: 64 },
            core: "0".to_owned(),
            only: Vec::new(),
        };
        let arguments: Vec<String> = std::env::args().skip(1).collect();
        for pair in arguments.chunks(2) {
            let [name, value] = pair else { panic!("{pair:?} needs a value") };
            let number = || value.parse().unwrap_or_else(|_| panic!("{name} takes a number"));
            match name.as_str() {
                "--dir" => settings.dir = value.into(),
                "--countersign" => settings.countersign = value.into(),
                "--envoy" => settings.envoy = value.into(),
                "--rounds" => settings.rounds = number(),
                "--requests" => settings.size.requests = number(),
                "--connections" => settings.size.connections = number(),
                "--core" => value.clone_into(&mut settings.core),
                "--only" => settings.only.push(value.clone()),
                _ => panic!("there is no {name}"),
            }
        }
        settings
    }

    /// Whether something of this name was asked for.
    pub fn wants(&self, name: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|word| name.contains(word.as_str()))
    }
}

/// An address on loopback.
pub fn address(port: u16) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], port))
}

/// Writes a file that a contender reads.
pub fn write(dir: &Path, name: &str, content: &str) -> PathBuf {
    let path = dir.join(name);
    std::fs::write(&path, content).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    path
}

const ORIGIN: u16 = 9100;
