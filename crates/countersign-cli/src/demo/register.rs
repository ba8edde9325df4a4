//! Who may sign in the demo: partners, their keys, and the directory of a trusted site.

use std::path::Path;
use std::sync::Arc;

use countersign::{
    Algorithm, AppHmacForm, Layout, Material, NonceForm, Scheme, SharedSecret, SigningKey, TimestampUnit,
};
use countersign_store::Registry;
use countersign_store::registry::{KeyAdd, KeySelector};

use super::sender::KEY_ID;
use crate::exit::Failure;
use crate::file::NewFile;
use crate::{moment, random};

/// The private halves that the scenes sign with.
pub(super) struct Signers {
    /// A key per algorithm of `http-message-signatures`, with its id.
    pub(super) partner: Vec<(Algorithm, String, Arc<SigningKey>)>,
    /// Known, and revoked.
    pub(super) revoked: (String, SigningKey),
    /// A trusted site, known by its file.
    pub(super) site: (String, SigningKey),
    /// An `app-hmac` key in each layout.
    pub(super) apps: Vec<(AppHmacForm, String, SigningKey)>,
}

/// Adds everybody to the registry.
pub(super) async fn register(registry: &Registry, dir: &Path, public_pem: &str) -> Result<Signers, Failure> {
    for partner in [SENDER, PARTNER] {
        registry.add_partner(partner, moment::now()).await?;
    }
    let pki = Algorithm::RsaPssSha256;
    add(registry, SENDER, KEY_ID, (Scheme::Pki, pki, None), Material::from_public_pem(public_pem.as_bytes())?).await?;
    let old = SigningKey::generate(pki, 2048)?;
    add(registry, SENDER, REVOKED, (Scheme::Pki, pki, None), Material::from_public_pem(old.public.as_bytes())?).await?;
    registry.revoke_key(&KeySelector::id(REVOKED), "the demo shows what becomes of it", moment::now()).await?;
    let old = SigningKey::from_file(old.private.as_bytes(), Scheme::Pki, None)?;

    let mut partner = Vec::new();
    for &algorithm in Scheme::HttpMessageSignatures.algorithms() {
        let id = format!("{PARTNER}-{algorithm}");
        let (private, material) = match algorithm {
            Algorithm::HmacSha256 => secret()?,
            _ => {
                let pair = SigningKey::generate(algorithm, 2048)?;
                (pair.private, Material::from_public_pem(pair.public.as_bytes())?)
            }
        };
        write(&dir.join(format!("{id}.key")), 0o600, &private)?;
        let scheme = Scheme::HttpMessageSignatures;
        add(registry, PARTNER, &id, (scheme, algorithm, None), material).await?;
        partner.push((algorithm, id, Arc::new(SigningKey::from_file(private.as_bytes(), scheme, Some(algorithm))?)));
    }
    let mut apps = Vec::new();
    for (id, form) in APPS {
        let (private, material) = secret()?;
        write(&dir.join(format!("{id}.key")), 0o600, &private)?;
        add(registry, PARTNER, id, (Scheme::AppHmac, Algorithm::HmacSha256, Some(form)), material).await?;
        apps.push((form, id.to_owned(), SigningKey::from_file(private.as_bytes(), Scheme::AppHmac, None)?));
    }
    Ok(Signers { partner, revoked: (REVOKED.to_owned(), old), site: site(dir)?, apps })
}

/// Adds the partner with the first of its keys: all that the narrow gateway knows.
pub(super) async fn register_partner(registry: &Registry, signers: &Signers) -> Result<(), Failure> {
    registry.add_partner(PARTNER, moment::now()).await?;
    let first = signers.partner.first().and_then(|(algorithm, id, key)| Some((*algorithm, id, key.public_pem()?)));
    let (algorithm, id, public) = first.ok_or_else(|| Failure::ours("the partner has no key"))?;
    let material = Material::from_public_pem(public.as_bytes())?;
    add(registry, PARTNER, id, (Scheme::HttpMessageSignatures, algorithm, None), material).await
}

async fn add(
    registry: &Registry,
    partner: &str,
    id: &str,
    (scheme, algorithm, form): (Scheme, Algorithm, Option<AppHmacForm>),
    material: Material,
) -> Result<(), Failure> {
    let (partner, id) = (partner.to_owned(), id.to_owned());
    let (not_before, not_after) = (None, None);
    let (pending, shared, allow_test_keys) = (false, false, false);
    let add = KeyAdd {
        partner,
        id,
        scheme,
        algorithm,
        material,
        not_before,
        not_after,
        pending,
        form,
        shared,
        allow_test_keys,
    };
    registry.add_key(add, moment::now()).await?;
    Ok(())
}

/// A trusted site is asserted by its file: `add` knows nothing of it.
fn site(dir: &Path) -> Result<(String, SigningKey), Failure> {
    let pair = SigningKey::generate(Algorithm::RsaV15Sha256, 2048)?;
    std::fs::create_dir(dir.join(SITES)).map_err(Failure::ours)?;
    write(&dir.join(SITES).join(format!("{SITE}_public.pem")), 0o644, &pair.public)?;
    write(&dir.join(format!("{SITE}.key")), 0o600, &pair.private)?;
    Ok((SITE.to_owned(), SigningKey::from_file(pair.private.as_bytes(), Scheme::TrustedSite, None)?))
}

fn secret() -> Result<(zeroize::Zeroizing<String>, Material), Failure> {
    let secret = random::secret()?;
    let shared = SharedSecret::from_file(secret.as_bytes().to_vec());
    Ok((secret, Material::Shared(shared)))
}

fn write(path: &Path, mode: u32, text: &str) -> Result<(), Failure> {
    let mut file = NewFile::create(path, mode)?;
    file.write(text.as_bytes())?;
    file.keep();
    Ok(())
}

const SENDER: &str = "sender-api";
pub(super) const PARTNER: &str = "acme";
const REVOKED: &str = "sender-old";
/// Version 2 of the partner `shop`.
const SITE: &str = "shop_v2";
/// The directory of trusted sites.
pub(super) const SITES: &str = "sites";
const APPS: [(&str, AppHmacForm); 2] = [
    ("app-1", AppHmacForm { layout: Layout::MethodFirst, unit: TimestampUnit::Seconds, nonce: NonceForm::Hex8 }),
    ("app-2", AppHmacForm { layout: Layout::PayloadFirst, unit: TimestampUnit::Milliseconds, nonce: NonceForm::Uuid }),
];
