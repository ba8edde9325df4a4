use std::path::PathBuf;

use countersign::{
    Algorithm, AppHmacForm, KeyRecord, KeyState, Layout, Material, NonceForm, Scheme, Timestamp, TimestampUnit,
    VerifyingKey,
};
use countersign_store::registry::{Error, KeyAdd, Refused};

use super::print;
use crate::app_hmac_form::FormFlags;
use crate::exit::{Exit, Failure};
use crate::moment::{self, Moment};
use crate::output::{self, say};
use crate::place::{ConfigFile, Place};
use crate::{arguments, file};

/// Adds a key to a partner, active at once
///
/// Under an id that the partner has already the key becomes the next version. Both verify: the former is retiring until its
/// own --not-after, or until it is retired.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The partner whose key it is
    #[arg(long, value_name = "NAME")]
    partner: String,
    /// What stands on the wire: keyid, site_id, AppId
    #[arg(long, value_name = "ID")]
    id: String,
    /// The one scheme that the key is for
    #[arg(long, value_name = "S", value_parser = arguments::scheme())]
    scheme: Scheme,
    /// The one algorithm that the key is for
    #[arg(long, value_name = "A", value_parser = arguments::algorithm())]
    algorithm: Algorithm,
    /// The public key: PEM, DER or JWK
    #[arg(long, value_name = "FILE", conflicts_with = "secret_file", required_unless_present = "secret_file")]
    public_key: Option<PathBuf>,
    /// The shared secret, for hmac-sha256: the bytes of the file, less one final LF, or an oct JWK
    #[arg(long, value_name = "FILE")]
    secret_file: Option<PathBuf>,
    /// Valid from this time on: 2026-11-23, 2026-11-23T10:00:00Z, seconds since 1970, or 7d from now
    #[arg(long, value_name = "T", value_parser = Moment::parse)]
    not_before: Option<Moment>,
    /// Valid until this time
    #[arg(long, value_name = "T", value_parser = Moment::parse)]
    not_after: Option<Moment>,
    /// Leave it unusable until it is activated
    #[arg(long)]
    pending: bool,
    /// Allow material that stands under another partner or scheme already
    #[arg(long)]
    shared: bool,
    /// Allow a key whose private half is printed in a specification, for a laboratory
    #[arg(long, hide_short_help = true)]
    allow_test_key: bool,
    #[command(flatten)]
    form: FormFlags,
    #[command(flatten)]
    config: ConfigFile,
}

pub(super) async fn run(args: Args) -> Result<Exit, Failure> {
    let now = moment::now();
    let add = KeyAdd {
        partner: args.partner.clone(),
        id: args.id.clone(),
        scheme: args.scheme,
        algorithm: args.algorithm,
        material: material(&args)?,
        not_before: args.not_before.map(|time| time.resolve(now)),
        not_after: args.not_after.map(|time| time.resolve(now)),
        pending: args.pending,
        form: args.form.form(args.scheme)?,
        shared: args.shared,
        allow_test_keys: args.allow_test_key,
    };
    let fitting = fitting(&add.material);
    let registry = Place::find(&args.config)?.registry_to_write().await?;
    let added = registry.add_key(add, now).await;
    registry.close().await;
    let added = added.map_err(|error| match error {
        Error::Refused(Refused::Material(_)) => fitting.into_iter().fold(error.into(), Failure::hint),
        error => Failure::from(error),
    })?;
    let key = &added.key;
    say!("added        key {}, version {}, {}, of partner {}", key.id, key.version, key.state, key.partner);
    say!("fingerprint  {}", print::fingerprint(key));
    for former in &added.retiring {
        let until = former.not_after.map_or_else(|| "it is retired".to_owned(), |until: Timestamp| until.to_string());
        say!("retiring     version {}, verifies until {until}", former.version);
    }
    let method_first = key.form.is_some_and(|form| form.layout == Layout::MethodFirst);
    if method_first && key.not_after.is_none() {
        // Without an end every stamp of the next centuries counts as one that another request could carry.
        output::warning(
            "without an end, a body that begins like a target (a=1) is ambiguous where the nonce begins with a digit",
            &[
                "give the key an end: --not-after".to_owned(),
                "or let the sender begin its nonces with a letter".to_owned(),
            ],
        );
    }
    let flag = args.config.flag();
    match (args.pending, added.retiring.first()) {
        (true, _) => say!("next         countersign key activate {}{flag}", key.id),
        (_, Some(former)) => say!("next         countersign key retire {} --version {}{flag}", key.id, former.version),
        (_, None) => say!("next         countersign gateway{flag}, or countersign key list{flag}"),
    }
    Ok(Exit::FINE)
}

fn material(args: &Args) -> Result<Material, Failure> {
    match (&args.public_key, &args.secret_file) {
        (Some(path), _) => file::public_key(path, Some(args.algorithm)),
        (None, Some(path)) => file::shared_secret(path),
        (None, None) => Err(Failure::usage("a key needs --public-key or --secret-file")),
    }
}

/// The flags that this material fits.
fn fitting(material: &Material) -> Vec<String> {
    let all = Scheme::ALL.into_iter().flat_map(|scheme| scheme.algorithms().iter().map(move |it| (scheme, *it)));
    let fits = |&(scheme, algorithm): &(Scheme, Algorithm)| {
        let probe = KeyRecord {
            partner: String::new(),
            partner_active: true,
            id: String::new(),
            version: 1,
            scheme,
            algorithm,
            state: KeyState::Pending,
            not_before: None,
            not_after: None,
            form: (scheme == Scheme::AppHmac).then_some(AppHmacForm {
                layout: Layout::MethodFirst,
                unit: TimestampUnit::Seconds,
                nonce: NonceForm::Hex8,
            }),
            material: material.clone(),
        };
        VerifyingKey::new(probe).is_ok()
    };
    all.filter(fits)
        .map(|(scheme, algorithm)| format!("this key fits --scheme {scheme} --algorithm {algorithm}"))
        .collect()
}
