use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

use countersign_store::Snapshots;
use tokio::signal::unix::{Signal, SignalKind};
use tokio::sync::oneshot;

use super::key::print;
use super::{Interrupts, listen_to, wait};
use crate::descriptors;
use crate::exit::{Exit, Failure};
use crate::file::warn_of_mode;
use crate::output::{self, say};
use crate::place::{ConfigFile, Place};
use crate::serve::{Reloader, Serving, Start};
use crate::supervisor::Supervisor;
use crate::watch::Watch;

/// Runs the gateway until SIGTERM or SIGINT; takes in changed files, also at SIGHUP
///
/// Says on stdout where it listens, and writes one JSON line per decision to stderr. At the end it lets requests at hand end
/// first; a second SIGTERM or SIGINT cuts them off.
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    config: ConfigFile,
    /// Take over from the gateway that serves on the same data directory, without a gap: callers wait for a moment, and
    /// where this process can't serve, the other goes on
    #[arg(long)]
    take_over: bool,
}

pub(crate) fn run(args: &Args) -> Result<Exit, Failure> {
    wait(serve(&args.config, args.take_over))?
}

async fn serve(file: &ConfigFile, take_over: bool) -> Result<Exit, Failure> {
    let mut watch = Watch::new(file.path());
    let (config, warnings) = file.read()?;
    watch.follow(&config);
    for warning in warnings {
        output::warning(warning.message(), warning.hints());
    }
    if config.routes.is_empty() {
        return Err(Failure::usage(format!("{} has no route: there is nothing to serve", file.path().display()))
            .hint("add a [[route]] with `path` and `upstream`, then countersign lint"));
    }
    if let Some(tls) = &config.gateway.tls {
        warn_of_mode(&tls.key);
    }
    descriptors::raise(config.gateway.limits.max_connections);
    let mut interrupts = Interrupts::listen()?;
    let hangup = listen_to(SignalKind::hangup())?;
    let place = Place::of(config);
    let start = if take_over { Start::taking_over(&place).await? } else { Start::replaceable(&place)? };
    let serving = Serving::prepare(&place, start, Box::new(std::io::stderr())).await?;
    announce(&place, &serving);
    let sites = place.config.registry.trusted_sites.clone();
    let supervisor = Arc::new(Supervisor::of_environment());
    let reloads = tokio::spawn(reload(hangup, watch, file.clone(), serving.reloader(), sites, Arc::clone(&supervisor)));
    let tells = tokio::spawn(tell_of_broken(serving.snapshots().clone()));
    let (stop, stopped) = oneshot::channel::<()>();
    let control = serving.control();
    let watchdog = tokio::spawn({
        let (supervisor, control) = (Arc::clone(&supervisor), control.clone());
        async move { supervisor.assure(|| control.is_alive()).await }
    });
    supervisor.ready(&serving_how(place.config.routes.len()));
    let signals = tokio::spawn(async move {
        interrupts.next().await;
        supervisor.stopping("letting requests at hand end");
        drop(stop);
        interrupts.next().await;
        control.end_now();
    });
    let ended = serving.run(async { drop(stopped.await) }).await;
    signals.abort();
    watchdog.abort();
    reloads.abort();
    tells.abort();
    match ended? {
        Some(pid) => say!("ended    in order, handed over to process {pid}"),
        None => say!("ended    in order"),
    }
    Ok(Exit::FINE)
}

fn announce(place: &Place, serving: &Serving) {
    for broken in serving.broken() {
        print::broken(&broken);
    }
    let floors = serving.floors();
    if !floors.is_empty() {
        let each: Vec<_> = floors.iter().map(|(scheme, floor)| format!("{floor} ({scheme})")).collect();
        let each = each.join(", ");
        let what = format!("the gateway before did not end in order: what was signed before {each} could be a replay");
        let then =
            "until then requests are answered 503 with Retry-After, and /readyz until the first; a SIGTERM avoids it"
                .to_owned();
        output::warning(what, &[then]);
    }
    let routes = output::count(place.config.routes.len(), "route");
    // Where it has taken over, nobody else serves any more, so that this is no reason to end.
    let keys = serving.keys().map_or_else(|fault| fault.message, |keys| output::count(keys.len(), "key"));
    let scheme = if place.config.gateway.tls.is_some() { "https" } else { "http" };
    for address in serving.addresses() {
        say!("gateway  {scheme}://{address}, {routes}, {keys}");
    }
    if let Some(address) = serving.admin_address() {
        say!("admin    http://{address}/readyz");
    }
    say!("data     {}", place.config.data.display());
}

/// Names what is found broken while the gateway runs, once.
async fn tell_of_broken(snapshots: Snapshots) {
    let mut changed = snapshots.changed();
    let mut told = BTreeSet::from_iter(snapshots.broken());
    while changed.changed().await.is_ok() {
        let present = BTreeSet::from_iter(snapshots.broken());
        present.difference(&told).for_each(|broken| print::broken(broken));
        told = present;
    }
}

/// As a service manager shows it.
fn serving_how(routes: usize) -> String {
    format!("serving {}", output::count(routes, "route"))
}

/// Reads the configuration and what it names again at each SIGHUP, and when a file has changed. What comes of it stands in the
/// log and in `/readyz`.
async fn reload(
    mut hangup: Signal,
    mut watch: Watch,
    file: ConfigFile,
    reloader: Reloader,
    sites: Option<PathBuf>,
    supervisor: Arc<Supervisor>,
) {
    loop {
        tokio::select! {
            signal = hangup.recv() => if signal.is_none() { return },
            () = watch.changed() => {}
        }
        supervisor.reloading();
        watch.reading();
        let new = file.read().map(|(config, _)| config);
        if let Ok(config) = &new {
            watch.follow(config);
        }
        let other_sites = new.as_ref().is_ok_and(|config| config.registry.trusted_sites != sites);
        let routes = new.as_ref().map_or(0, |config| config.routes.len());
        match reloader.reload(new).await {
            Ok(waits) => {
                supervisor.ready(&serving_how(routes));
                if waits || other_sites {
                    output::warning("some of the new settings wait for a restart", &[]);
                }
            }
            Err(failure) => {
                supervisor.ready(&format!("serving the last good configuration: {}", failure.message));
                output::failure(&failure);
            }
        }
    }
}
