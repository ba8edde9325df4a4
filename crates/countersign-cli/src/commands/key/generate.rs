use std::path::PathBuf;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use countersign::{Algorithm, Scheme, SigningKey};

use crate::exit::{Exit, Failure};
use crate::file::{self, NewFile};
use crate::output::say;
use crate::random;

/// Makes a key pair, or a shared secret for HMAC
///
/// FILE gets the private key (PKCS#8 PEM, mode 0600), FILE.pub the public one (SPKI PEM). For hmac-sha256 FILE alone gets a
/// random secret of 43 characters. A file that exists is never overwritten.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// What the key is for
    #[arg(long, value_name = "A", value_parser = purpose())]
    algorithm: Purpose,
    /// Length of an RSA key: 2048, 3072, 4096 or 8192 [default: 3072]
    #[arg(long, value_name = "N")]
    bits: Option<u32>,
    /// Where the private key goes; the public one goes beside it, with .pub appended
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

/// A signature algorithm, or one that seals fields.
#[derive(Clone, Copy, Debug)]
enum Purpose {
    Sign(Algorithm),
    SealRsa,
    SealP256,
}

const SEALING: [(&str, Purpose); 2] = [("rsa-oaep-256", Purpose::SealRsa), ("ecdh-es", Purpose::SealP256)];

fn purpose() -> impl TypedValueParser<Value = Purpose> {
    let names = Algorithm::ALL.iter().map(|algorithm| algorithm.as_str()).chain(SEALING.iter().map(|(name, _)| *name));
    PossibleValuesParser::new(names).try_map(|name| match SEALING.iter().find(|(sealing, _)| *sealing == name) {
        Some((_, purpose)) => Ok(*purpose),
        None => name.parse().map(Purpose::Sign),
    })
}

impl Purpose {
    /// The algorithm whose kind of key this purpose needs, and whether that is RSA.
    fn material(self) -> (Algorithm, bool) {
        match self {
            Self::Sign(algorithm) => (algorithm, algorithm.as_str().starts_with("rsa-")),
            Self::SealRsa => (Algorithm::RsaPssSha256, true),
            Self::SealP256 => (Algorithm::EcdsaP256Sha256, false),
        }
    }
}

pub(crate) fn run(args: &Args) -> Result<Exit, Failure> {
    let (algorithm, rsa) = args.algorithm.material();
    if args.bits.is_some() && !rsa {
        return Err(Failure::usage("--bits is for RSA keys only").hint("leave --bits out"));
    }
    if algorithm == Algorithm::HmacSha256 {
        return secret(args);
    }
    let public = file::public_half(&args.out);
    // Both names are taken before the key is made: a pair whose halves do not belong together is worse than none.
    let mut private_file = NewFile::create(&args.out, 0o600)?;
    let mut public_file = NewFile::create(&public, 0o644)?;
    let pair = SigningKey::generate(algorithm, args.bits.unwrap_or(3072))
        .map_err(|fault| Failure::from(fault).hint("--bits 3072"))?;
    private_file.write(pair.private.as_bytes())?;
    public_file.write(pair.public.as_bytes())?;
    private_file.keep();
    public_file.keep();
    let (out, public) = (args.out.display(), public.display());
    say!("private key  {out} (PKCS#8, mode 0600; keep it, it is nowhere else)");
    say!("public key   {public} (SPKI; give it to whoever verifies)");
    if let Purpose::Sign(algorithm) = args.algorithm {
        let scheme = scheme_of(algorithm);
        say!(
            "next         countersign key add --partner NAME --id ID --scheme {scheme} --algorithm {algorithm} \
             --public-key {public}"
        );
    }
    Ok(Exit::FINE)
}

fn secret(args: &Args) -> Result<Exit, Failure> {
    let mut out = NewFile::create(&args.out, 0o600)?;
    out.write(random::secret()?.as_bytes())?;
    out.keep();
    let out = args.out.display();
    say!("secret       {out} (43 characters, mode 0600; both sides need it)");
    say!(
        "next         countersign key add --partner NAME --id ID --scheme {} --algorithm hmac-sha256 --secret-file {out}",
        Scheme::HttpMessageSignatures
    );
    Ok(Exit::FINE)
}

/// The first scheme that has this algorithm.
fn scheme_of(algorithm: Algorithm) -> Scheme {
    Scheme::ALL.into_iter().find(|scheme| scheme.algorithms().contains(&algorithm)).unwrap_or(Scheme::ALL[0])
}
