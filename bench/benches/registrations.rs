//! How many users a second can be registered and logged in on SQLite, each durable before it is answered. Fails below the
//! 2000 registrations that a gateway promises.

use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use countersign::Timestamp;
use countersign_store::users::{Email, NewUser};
use countersign_store::{Registry, Users};

/// How many wait for an answer at a time: one site alone, and what many connections bring.
const WAITING: [usize; 4] = [1, 16, 64, 256];
const PROMISED: f64 = 2000.0;
const TIME: Duration = Duration::from_secs(4);

fn main() -> ExitCode {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    if runtime.block_on(measure()) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Whether the promise is kept.
async fn measure() -> bool {
    let dir = tempfile::tempdir().expect("a directory");
    let data = dir.path().join("data");
    println!("on {}, each answered once it is durable\n", data.display());
    println!("| waiting at a time | registered a second | median wait | log of SQLite per user | logged in a second |");
    println!("| --- | --- | --- | --- | --- |");
    let mut best: f64 = 0.0;
    for waiting in WAITING {
        // A database of its own for each, so that none finds the users of another.
        let registry =
            Registry::open(&format!("sqlite:{}/{waiting}.db", data.display()), &data).await.expect("a registry");
        let users = Users::open(&registry).await.expect("users");
        let written = blocks();
        let (registered, rate, wait) = run(waiting, &users, async |users: &Users, email: &Email| {
            let new = NewUser { email, site: "shop-1", partner: "shop", credits: 100 };
            users.register(new, Timestamp::from_secs(1_800_000_000)).await.expect("a new user");
        })
        .await;
        let written = (blocks() - written) / registered.max(1);
        let there = registry.users(None, "", u32::MAX).await.expect("the users").len() as u64;
        assert_eq!(there, registered, "what was answered is there");
        let (_, logins, _) = run(waiting, &users, async |users: &Users, email: &Email| {
            drop(users.login(email.as_str(), "shop", false).await);
        })
        .await;
        println!("| {waiting} | {rate:.0} | {wait:.1?} | {written} bytes | {logins:.0} |");
        best = best.max(rate);
        registry.close().await;
    }
    let kept = best >= PROMISED;
    println!("\n{best:.0} a second; promised are {PROMISED:.0}{}", if kept { "" } else { ": not kept" });
    kept
}

/// So many that each wait for one answer before they ask again: how many were answered, how many a second, and the median wait.
async fn run(
    waiting: usize,
    users: &Users,
    ask: impl AsyncFn(&Users, &Email) + Copy + 'static,
) -> (u64, f64, Duration) {
    let began = Instant::now();
    let answered = Arc::new(AtomicU64::new(0));
    let local = tokio::task::LocalSet::new();
    let tasks: Vec<_> = (0..waiting)
        .map(|task| {
            let (users, answered) = (users.clone(), Arc::clone(&answered));
            local.spawn_local(async move {
                let mut waits = Vec::new();
                for number in 0.. {
                    if began.elapsed() >= TIME {
                        break;
                    }
                    let email = Email::parse(&format!("user-{task}-{number}@example.com")).expect("an address");
                    let asked = Instant::now();
                    ask(&users, &email).await;
                    waits.push(asked.elapsed());
                    answered.fetch_add(1, Relaxed);
                }
                waits
            })
        })
        .collect();
    let mut waits = Vec::new();
    local
        .run_until(async {
            for task in tasks {
                waits.extend(task.await.expect("a task"));
            }
        })
        .await;
    let time = began.elapsed().as_secs_f64();
    waits.sort_unstable();
    let median = waits.get(waits.len() / 2).copied().unwrap_or_default();
    let answered = answered.load(Relaxed);
    (answered, answered as f64 / time, median)
}

/// Bytes that this process has had written to disk.
fn blocks() -> u64 {
    let text = std::fs::read_to_string("/proc/self/io").unwrap_or_default();
    text.lines().find_map(|line| line.strip_prefix("write_bytes: ")?.parse().ok()).unwrap_or(0)
}
