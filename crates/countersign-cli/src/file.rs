//! Key files: read whole, written once, never over another.

use std::fs::{self, File, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use countersign::{Algorithm, Material, OpeningKey, Scheme, SealingKey, SigningKey};
use countersign_proxy::ClientCertificate;
use zeroize::Zeroizing;

use crate::exit::{Failure, io};
use crate::output;

/// Key files are small; a larger file is another one.
const MAX_KEY_FILE: u64 = 256 << 10;

/// Reads a public key in PEM, DER or JWK. With an algorithm, the file must not say that the key is for another.
pub(crate) fn public_key(path: &Path, algorithm: Option<Algorithm>) -> Result<Material, Failure> {
    let file = read_small(path).map_err(|failure| {
        let made = algorithm.filter(|_| path.extension().is_some_and(|it| it == "pub") && !path.exists());
        match made {
            Some(algorithm) => {
                failure.hint(made_by(algorithm.as_str(), &path.with_extension("").display().to_string()))
            }
            None => failure.hint("it is the half of the key that its owner hands out: of a key of ours, FILE.pub"),
        }
    })?;
    public_key_in(path, &file, algorithm)
}

/// The command that makes a key.
fn made_by(algorithm: &str, out: &str) -> String {
    format!("countersign key generate --algorithm {algorithm} --out {out}")
}

/// The same where the file was read already.
pub(crate) fn public_key_in(path: &Path, file: &[u8], algorithm: Option<Algorithm>) -> Result<Material, Failure> {
    Material::from_public_file(file, algorithm).map_err(|fault| {
        let fault = fault.to_string();
        let failure = Failure::usage(format!("{}: {fault}", path.display()));
        let half = public_half(path);
        if half.exists() {
            failure.hint(format!("--public-key {}", half.display()))
        } else if fault.starts_with("found a shared secret") {
            failure.hint(format!("--secret-file {}", path.display()))
        } else {
            failure
        }
    })
}

/// Reads a private key or a secret.
pub(crate) fn read_secret(path: &Path) -> Result<Zeroizing<Vec<u8>>, Failure> {
    read_small(path)
}

/// Reads a private key or a secret to sign with.
pub(crate) fn signing_key(path: &Path, scheme: Scheme, asked: Option<Algorithm>) -> Result<SigningKey, Failure> {
    let algorithm = asked.or_else(|| scheme.algorithms().first().copied()).map_or("A", Algorithm::as_str);
    let missing = |failure: Failure| {
        if path.exists() { failure } else { failure.hint(made_by(algorithm, &path.display().to_string())) }
    };
    let secret = read_small(path).map_err(missing)?;
    SigningKey::from_file(&secret, scheme, asked).map_err(|fault| {
        let failure = Failure::usage(format!("{}: {fault}", path.display()));
        let private = path.with_extension("");
        match path.extension() {
            Some(extension) if extension == "pub" && private.exists() => {
                failure.hint(format!("--key {}", private.display()))
            }
            _ => failure.hint(made_by(algorithm, "FILE")),
        }
    })
}

/// Reads a public key to seal for; of a JWK set, the current one.
pub(crate) fn sealing_key(path: &Path) -> Result<SealingKey, Failure> {
    sealing_keys(path)?.into_iter().next().ok_or_else(|| {
        Failure::usage(format!("{} has no key to seal for", path.display()))
            .hint("the recipient publishes one with \"use\": \"enc\" at /.well-known/jwks.json")
    })
}

/// Reads a public key to seal for, or all of a JWK set.
pub(crate) fn sealing_keys(path: &Path) -> Result<Vec<SealingKey>, Failure> {
    let file = read_small(path)?;
    SealingKey::from_set(&file).or_else(|_| SealingKey::from_file(&file).map(|key| vec![key])).map_err(|fault| {
        Failure::usage(format!("{}: {fault}", path.display()))
            .hint("the recipient publishes it: curl https://HOST/.well-known/jwks.json > FILE")
    })
}

/// Reads a private key that opens sealed fields.
pub(crate) fn opening_key(path: &Path) -> Result<OpeningKey, Failure> {
    let key = OpeningKey::from_file(&read_small(path)?).map_err(|fault| {
        Failure::usage(format!("{}: {fault}", path.display()))
            .hint(format!("countersign key generate --algorithm ecdh-es --out {}", path.display()))
    })?;
    warn_of_mode(path);
    Ok(key)
}

/// Reads a certificate to show to who asks for one: chain and private key in one file.
pub(crate) fn client_certificate(path: &Path) -> Result<ClientCertificate, Failure> {
    let pem = read_small(path)?;
    warn_of_mode(path);
    ClientCertificate::from_pem(&pem).map_err(|fault| {
        Failure::usage(format!("{}: {fault}", path.display()))
            .hint("it takes the certificate, what stands between it and its authority, and the private key, all as PEM")
            .hint("cat client.pem intermediate.pem client.key > FILE; chmod 600 FILE")
    })
}

/// Reads a secret that both sides hold: the bytes of the file, or the `k` of an `oct` JWK.
pub(crate) fn shared_secret(path: &Path) -> Result<Material, Failure> {
    let missing = |failure: Failure| {
        if path.exists() { failure } else { failure.hint(made_by("hmac-sha256", &path.display().to_string())) }
    };
    let material = Material::from_secret_file(&read_small(path).map_err(missing)?).map_err(|fault| {
        Failure::usage(format!("{}: {fault}", path.display())).hint("a public key goes with --public-key")
    })?;
    warn_of_mode(path);
    Ok(material)
}

/// Says so where others can read a secret too.
pub(crate) fn warn_of_mode(path: &Path) {
    let open_to_others = |it: fs::Metadata| it.is_file() && it.permissions().mode() & 0o077 != 0;
    if fs::metadata(path).is_ok_and(open_to_others) {
        let fix = format!("chmod 600 {}", path.display());
        output::warning(format!("{} can be read by others than its owner", path.display()), &[fix]);
    }
}

fn read_small(path: &Path) -> Result<Zeroizing<Vec<u8>>, Failure> {
    let mut text = Zeroizing::new(Vec::new());
    File::open(path)
        .and_then(|file| file.take(MAX_KEY_FILE + 1).read_to_end(&mut text))
        .map_err(|fault| io("can't read", path, &fault))?;
    if text.len() as u64 > MAX_KEY_FILE {
        return Err(Failure::usage(format!("{} is too large for a key file", path.display())));
    }
    Ok(text)
}

/// A file that this command made and that goes away again unless it is kept.
pub(crate) struct NewFile {
    path: PathBuf,
    file: File,
    kept: bool,
}

impl NewFile {
    /// Makes the file with this mode; where one stands already, that is an error and the file stays as it is.
    pub(crate) fn create(path: &Path, mode: u32) -> Result<Self, Failure> {
        let file = OpenOptions::new().write(true).create_new(true).mode(mode).open(path).map_err(|fault| {
            let failure = io("can't write", path, &fault);
            match fault.kind() {
                std::io::ErrorKind::AlreadyExists => {
                    Failure::usage(format!("{} exists already and is never overwritten", path.display()))
                        .hint("choose another name with --out, or move the file away")
                }
                std::io::ErrorKind::NotFound => match path.parent() {
                    Some(dir) => failure.hint(format!("mkdir -p {}", dir.display())),
                    None => failure,
                },
                _ => failure,
            }
        })?;
        Ok(Self { path: path.to_owned(), file, kept: false })
    }

    /// Writes it whole, down to the disk.
    pub(crate) fn write(&mut self, content: &[u8]) -> Result<(), Failure> {
        self.file
            .write_all(content)
            .and_then(|()| self.file.sync_all())
            .map_err(|fault| io("can't write", &self.path, &fault))
    }

    /// Lets it stay.
    pub(crate) fn keep(mut self) {
        self.kept = true;
    }
}

impl Drop for NewFile {
    fn drop(&mut self) {
        if !self.kept {
            drop(fs::remove_file(&self.path));
        }
    }
}

/// The path of the public half: `.pub` appended.
pub(crate) fn public_half(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".pub");
    name.into()
}
