//! The table: what each took, in microseconds and in those of nginx, and which goals are met.

use std::fmt::Write as _;
use std::path::Path;

use crate::contenders::{ENVOY_TOKEN, FORWARDING, HAPROXY_TOKEN, ONE_WORKER, TWO_WORKERS, YARDSTICK};
use crate::memory::Memory;
use crate::plot;
use crate::rounds::{Turn, median};

/// Everything that was measured.
pub struct Results {
    names: Vec<&'static str>,
    /// By contender, by round.
    turns: Vec<Vec<Turn>>,
    /// The bare primitives, by author, by round.
    bare: Vec<Vec<f64>>,
    pub memory: Option<Memory>,
}

/// A ratio or a cost that is to be reached.
struct Goal {
    what: String,
    value: f64,
    /// The same of the least times: what disturbs a machine only ever adds.
    least: Option<f64>,
    most: f64,
    unit: &'static str,
}

impl Results {
    pub fn new(names: Vec<&'static str>) -> Self {
        Self { turns: names.iter().map(|_| Vec::new()).collect(), names, bare: Vec::new(), memory: None }
    }

    pub fn add(&mut self, contender: usize, round: usize, turn: Turn) {
        self.turns[contender].push(turn);
        debug_assert_eq!(self.turns[contender].len(), round + 1);
    }

    pub fn bare(&mut self, each: Vec<f64>) {
        self.bare.push(each);
    }

    /// Prints the tables, and writes them, the rounds and the plot to files.
    pub fn tell(&self, dir: &Path) {
        let mut text = String::new();
        let _ = writeln!(
            text,
            "| contender | CPU µs per request | least | × nginx | of its core | rounds |\n| --- | --- | --- | --- | --- | --- |"
        );
        for (at, name) in self.names.iter().enumerate() {
            let turns = self.counted(at);
            let least = self.least(name);
            let share = median(turns.iter().map(|(_, turn)| turn.share).collect());
            let few = if self.undisturbed(at) < ENOUGH { " (too few undisturbed)" } else { "" };
            let _ = writeln!(
                text,
                "| {name} | {:.1} | {least:.1} | {:.2} | {:.0} % | {}{few} |",
                self.micros(name),
                self.ratio(name, YARDSTICK),
                share * 100.0,
                self.undisturbed(at),
            );
        }
        let _ =
            writeln!(text, "\n| goal | reached | by the least times | at most | |\n| --- | --- | --- | --- | --- |");
        for Goal { what, value, least, most, unit } in self.goals() {
            let met = if value <= most { "met" } else { "NOT MET" };
            let least = least.map_or_else(String::new, |least| format!("{least:.2} {unit}"));
            let _ = writeln!(text, "| {what} | {value:.2} {unit} | {least} | {most} {unit} | {met} |");
        }
        print!("{text}");
        crate::write(dir, "table.md", &text);
        crate::write(dir, "rounds.csv", &self.rounds());
        let bars = self.names.iter().map(|name| (*name, self.micros(name))).collect::<Vec<_>>();
        let plot = crate::write(dir, "plot.svg", &plot::bars(&bars));
        println!("\nplot and rounds are beside {}", plot.display());
    }

    fn goals(&self) -> Vec<Goal> {
        let mut goals = Vec::new();
        let mut times = |one: &str, other: &str, most: f64| {
            let value = self.ratio(one, other);
            if !value.is_nan() {
                let least = Some(self.least(one) / self.least(other));
                goals.push(Goal { what: format!("{one} : {other}"), value, least, most, unit: "×" });
            }
        };
        times(FORWARDING, YARDSTICK, 1.0);
        for (name, most) in [("hmac-sha256", 1.2), ("app-hmac", 1.2), ("ed25519", 3.1), ("ecdsa-p256-sha256", 4.5)] {
            times(&format!("ours, {name}"), YARDSTICK, most);
        }
        for name in ["rsa-pss-sha512", "rsa-v1_5-sha256", "pki", "trusted-site"] {
            times(&format!("ours, {name}"), HAPROXY_TOKEN, 0.8);
            times(&format!("ours, {name}"), ENVOY_TOKEN, 0.35);
        }
        for name in ["forwarding", "hmac-sha256"] {
            times(&format!("{TWO_WORKERS}{name}"), &format!("{ONE_WORKER}{name}"), 1.15);
        }
        for name in ["hmac-sha256", "ed25519"] {
            times(&format!("ours, observed, {name}"), &format!("ours, {name}"), 1.05);
        }
        for (author, name) in crate::contenders::signing().enumerate() {
            let own = self.micros(name) - self.micros(FORWARDING);
            let bare = median(self.bare.iter().map(|each| each[author]).collect());
            if !own.is_nan() {
                let what = format!("{name}, over our forwarding and the bare primitive ({bare:.1} µs)");
                let least = Some(self.least(name) - self.least(FORWARDING) - bare);
                goals.push(Goal { what, value: own - bare, least, most: 6.0, unit: "µs" });
            }
        }
        if let Some(Memory { idle, opened, kept }) = self.memory {
            let mib = |bytes: u64| bytes as f64 / f64::from(1 << 20);
            goals.push(Goal {
                what: "memory, idle".to_owned(),
                value: mib(idle),
                least: None,
                most: 30.0,
                unit: "MiB",
            });
            for (what, bytes) in [("opened", opened), ("kept open", kept)] {
                let what = format!("memory per connection, {what}");
                goals.push(Goal { what, value: bytes as f64 / 1024.0, least: None, most: 20.0, unit: "KiB" });
            }
        }
        goals
    }

    /// The median over the rounds that count, in microseconds.
    fn micros(&self, name: &str) -> f64 {
        let turns = self.names.iter().position(|other| *other == name).map(|at| self.counted(at));
        median(turns.into_iter().flatten().map(|(_, turn)| turn.each.as_secs_f64() * 1e6).collect())
    }

    /// The least of all rounds, in microseconds.
    fn least(&self, name: &str) -> f64 {
        let turns = self.names.iter().position(|other| *other == name).map(|at| &self.turns[at]);
        let micros = turns.into_iter().flatten().map(|turn| turn.each.as_secs_f64() * 1e6);
        micros.fold(f64::INFINITY, f64::min)
    }

    /// How many times what the other takes: the median of the ratios within one round.
    fn ratio(&self, one: &str, other: &str) -> f64 {
        let place = |name: &str| self.names.iter().position(|known| *known == name);
        let (Some(one), Some(other)) = (place(one), place(other)) else { return f64::NAN };
        let others = self.counted(other);
        let pairs = self.counted(one).into_iter().filter_map(|(round, turn)| {
            let (_, other) = others.iter().find(|(same, _)| *same == round)?;
            Some(turn.each.as_secs_f64() / other.each.as_secs_f64())
        });
        median(pairs.collect())
    }

    fn undisturbed(&self, at: usize) -> usize {
        self.turns[at].iter().filter(|turn| turn.undisturbed).count()
    }

    /// The undisturbed turns and their rounds; all of them where there are too few of those, which the table says.
    fn counted(&self, at: usize) -> Vec<(usize, Turn)> {
        let enough = self.undisturbed(at) >= ENOUGH;
        self.turns[at].iter().copied().enumerate().filter(|(_, turn)| turn.undisturbed || !enough).collect()
    }

    fn rounds(&self) -> String {
        let mut text = String::from("contender,round,microseconds,share,undisturbed\n");
        for (name, turns) in self.names.iter().zip(&self.turns) {
            for (round, turn) in turns.iter().enumerate() {
                let (micros, share) = (turn.each.as_secs_f64() * 1e6, turn.share);
                let _ = writeln!(text, "\"{name}\",{round},{micros:.2},{share:.3},{}", turn.undisturbed);
            }
        }
        text
    }
}

/// Undisturbed rounds that make a median.
const ENOUGH: usize = 8;
