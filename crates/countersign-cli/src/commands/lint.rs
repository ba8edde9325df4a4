use countersign_proxy::TlsFinding;
use serde_json::json;

use crate::config::{Config, Finding, ReplayUrl, Source};
use crate::exit::{Exit, Failure};
use crate::output::{self, fitted, say};
use crate::place::ConfigFile;
use crate::{moment, wire};

/// Checks a configuration and its policies offline
///
/// Exits with 0 where there is nothing to say, with 20 where something is allowed and unwise, with 2 where the configuration
/// can't be used at all.
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    config: ConfigFile,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: &Args) -> Result<Exit, Failure> {
    let (config, warnings) = args.config.read()?;
    wire::settings(&config, Vec::new())?;
    let mut findings = config.lint();
    findings.extend(tls_findings(&config));
    findings.sort_by(|one, other| one.place.cmp(&other.place));
    let found = !findings.is_empty() || !warnings.is_empty();
    if args.json {
        let object = |it: &Finding| {
            json!({
                "code": it.code, "place": it.place.to_string(), "route": it.route, "message": it.message, "fix": it.fix,
            })
        };
        output::json(&json!({
            "file": args.config.path().display().to_string(),
            "rates": rates_counted(&config).map(|(whose, _)| whose),
            "notes": config.notes(),
            "findings": findings.iter().map(object).collect::<Vec<_>>(),
            "warnings": warnings.iter().map(|it| json!({ "message": it.message(), "hints": it.hints() })).collect::<Vec<_>>(),
        }));
    } else {
        for warning in &warnings {
            say!("{}", fitted("", 2, &warning.message()));
            for hint in warning.hints() {
                say!("{}", fitted("  hint: ", 8, hint));
            }
        }
        for finding in &findings {
            say!("{}", fitted("", 2, &finding.to_string()));
            say!("{}", fitted("  hint: ", 8, &finding.fix));
        }
        for note in config.notes() {
            say!("{}", fitted("note: ", 6, note));
        }
        if let Some((_, said)) = rates_counted(&config) {
            say!("{}", fitted("", 2, said));
        }
        match warnings.len() + findings.len() {
            0 => {
                let routes = output::count(config.routes.len(), "route");
                say!("{}: nothing to report, {routes}", args.config.path().display());
            }
            number => say!("{}", output::count(number, "finding")),
        }
    }
    Ok(if found { Exit(20) } else { Exit::FINE })
}

/// Where the rates of partners are counted, where there are any.
fn rates_counted(config: &Config) -> Option<(&'static str, &'static str)> {
    config.routes.iter().find(|route| route.rate.is_some())?;
    Some(match config.replay.url {
        Source::Url(ReplayUrl::Memory) => {
            ("own", "rates are counted by each gateway for itself: two of them admit twice as much")
        }
        Source::Url(ReplayUrl::Redis(_)) | Source::File(_) => {
            ("shared", "rates are counted in the replay store, for all gateways that share it together")
        }
    })
}

/// What there is to say about the files that `[gateway.tls]` names.
fn tls_findings(config: &Config) -> Vec<Finding> {
    let found = config.gateway.tls.as_ref().map(|tls| wire::tls(tls).examine(moment::now())).unwrap_or_default();
    let finding = |it: TlsFinding| Finding {
        code: it.code,
        place: config.place_of(&format!("gateway.tls.{}", it.setting)),
        route: None,
        message: it.message,
        fix: it.fix,
    };
    found.into_iter().map(finding).collect()
}
