//! What a service manager is told, and how often it wants to hear (sd_notify(3)): datagrams to the socket that it names in
//! `NOTIFY_SOCKET`. Without one, nothing is told.

use std::os::unix::net::UnixDatagram;
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};
use tokio::time::{MissedTickBehavior, interval};

use crate::output;

/// The service manager.
pub(crate) struct Supervisor {
    socket: Option<UnixDatagram>,
    /// It ends us where it does not hear for so long.
    patience: Option<Duration>,
}

impl Supervisor {
    /// The one that started this process.
    pub(crate) fn of_environment() -> Self {
        let name = std::env::var("NOTIFY_SOCKET").ok().filter(|name| !name.is_empty());
        let socket = name.and_then(|name| match connect(&name) {
            Ok(socket) => Some(socket),
            Err(fault) => {
                output::warning(format!("the service manager can't be told anything: {name}: {fault}"), &[]);
                None
            }
        });
        let number = |name: &str| std::env::var(name).ok()?.parse::<u64>().ok();
        let ours = number("WATCHDOG_PID").is_none_or(|pid| pid == u64::from(std::process::id()));
        let patience = number("WATCHDOG_USEC").filter(|micros| ours && *micros > 0).map(Duration::from_micros);
        Self { socket, patience }
    }

    /// Serving; `how` is shown by `systemctl status`.
    pub(crate) fn ready(&self, how: &str) {
        // This process is the one to watch, also where it took over from the one that was started.
        self.tell(&format!("READY=1\nMAINPID={}\nSTATUS={}", std::process::id(), line(how)));
    }

    /// Reading the configuration again, until [`Supervisor::ready`].
    pub(crate) fn reloading(&self) {
        // Type=notify-reload wants to know whether this is the reload that it asked for.
        let now = clock_gettime(ClockId::Monotonic);
        let micros = now.tv_sec * 1_000_000 + now.tv_nsec / 1000;
        self.tell(&format!("RELOADING=1\nMONOTONIC_USEC={micros}\nSTATUS=reading the configuration again"));
    }

    /// On the way to the end.
    pub(crate) fn stopping(&self, how: &str) {
        self.tell(&format!("STOPPING=1\nSTATUS={}", line(how)));
    }

    /// Says as often as is asked for that all is well, as long as `is_well`. Goes on until it is dropped.
    pub(crate) async fn assure(&self, is_well: impl Fn() -> bool) {
        let Some(patience) = self.patience.filter(|_| self.socket.is_some()) else { return };
        let mut ticks = interval((patience / 2).max(Duration::from_millis(1)));
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            if is_well() {
                self.tell("WATCHDOG=1");
            }
        }
    }

    fn tell(&self, state: &str) {
        if let Some(socket) = &self.socket
            && let Err(fault) = socket.send(state.as_bytes())
        {
            output::warning(format!("the service manager was not told: {fault}"), &[]);
        }
    }
}

fn connect(name: &str) -> std::io::Result<UnixDatagram> {
    let socket = UnixDatagram::unbound()?;
    match name.strip_prefix('@') {
        #[cfg(target_os = "linux")]
        Some(name) => {
            use std::os::linux::net::SocketAddrExt;
            socket.connect_addr(&std::os::unix::net::SocketAddr::from_abstract_name(name)?)?;
        }
        _ => socket.connect(name)?,
    }
    Ok(socket)
}

/// One line, whatever it was: the next would be another message.
fn line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}
