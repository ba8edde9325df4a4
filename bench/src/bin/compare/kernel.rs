//! What the kernel says of a process: CPU time, time spent waiting for a core, memory; and of a core: what others took of it.

use std::collections::BTreeMap;
use std::fs;
use std::time::Duration;

/// CPU time of a process with all its threads and children, at one moment.
#[derive(Clone, Debug, Default)]
pub struct Usage {
    /// By thread: on a core, and ready but waiting for one.
    threads: BTreeMap<u32, (Duration, Duration)>,
}

impl Usage {
    /// Of these processes. In nanoseconds from the scheduler (`/proc/PID/task/TID/schedstat`), system time included.
    pub fn of(processes: &[u32]) -> Self {
        let mut threads = BTreeMap::new();
        for process in processes {
            let Ok(tasks) = fs::read_dir(format!("/proc/{process}/task")) else { continue };
            for task in tasks.flatten() {
                let Ok(text) = fs::read_to_string(task.path().join("schedstat")) else { continue };
                let mut numbers = text.split_whitespace().filter_map(|number| number.parse().ok());
                let (Some(ran), Some(waited)) = (numbers.next(), numbers.next()) else { continue };
                let id = task.file_name().to_string_lossy().parse().unwrap_or(0);
                threads.insert(id, (Duration::from_nanos(ran), Duration::from_nanos(waited)));
            }
        }
        Self { threads }
    }

    /// What was taken since: CPU time of all threads, and how long the busiest of them waited for its core meanwhile.
    pub fn since(&self, before: &Self) -> (Duration, Duration) {
        let taken = self.threads.iter().map(|(id, (ran, waited))| {
            let (ran_before, waited_before) = before.threads.get(id).copied().unwrap_or_default();
            (ran.saturating_sub(ran_before), waited.saturating_sub(waited_before))
        });
        let busiest = taken.clone().max().unwrap_or_default();
        (taken.map(|(ran, _)| ran).sum(), busiest.1)
    }
}

/// A process and all that it started.
pub fn family(process: u32) -> Vec<u32> {
    let mut family = vec![process];
    let mut at = 0;
    while let Some(parent) = family.get(at) {
        let tasks = fs::read_dir(format!("/proc/{parent}/task")).into_iter().flatten().flatten();
        let children: Vec<u32> = tasks
            .filter_map(|task| fs::read_to_string(task.path().join("children")).ok())
            .flat_map(|text| text.split_whitespace().filter_map(|id| id.parse().ok()).collect::<Vec<_>>())
            .collect();
        family.extend(children);
        at += 1;
    }
    family
}

/// Bytes of memory that these processes have in use (`VmRSS`), what they share with others included.
pub fn memory(processes: &[u32]) -> u64 {
    let of = |process: &u32| {
        let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or(0_u64) * 1024
    };
    processes.iter().map(of).sum()
}

/// A core at one moment.
#[derive(Clone, Copy, Debug, Default)]
pub struct Core {
    busy: Duration,
    stolen: Duration,
}

impl Core {
    /// Of this number. In ticks of 10 ms (`/proc/stat`).
    pub fn of(number: usize) -> Self {
        let stat = fs::read_to_string("/proc/stat").unwrap_or_default();
        let name = format!("cpu{number} ");
        let line = stat.lines().find_map(|line| line.strip_prefix(&name)).unwrap_or_default();
        let ticks: Vec<u64> = line.split_whitespace().filter_map(|number| number.parse().ok()).collect();
        let at = |index: usize| Duration::from_millis(10 * ticks.get(index).copied().unwrap_or(0));
        // user, nice, system, idle, iowait, irq, softirq, steal
        Self { busy: at(0) + at(1) + at(2) + at(5) + at(6), stolen: at(7) }
    }

    /// How long it worked since, for whomever, and how long the hypervisor gave it to another machine.
    pub fn since(&self, before: &Self) -> (Duration, Duration) {
        (self.busy.saturating_sub(before.busy), self.stolen.saturating_sub(before.stolen))
    }
}
