//! What opening a sealed field takes beside the private operation, what one field more takes its sealer, and whether the time of a
//! refusal tells what was wrong. `cargo bench --bench sealing -- costs` or `-- times` for one of both.

use std::process::ExitCode;

use aws_lc_rs::rand;
use aws_lc_rs::rsa::{OAEP_SHA256_MGF1SHA256, OaepPrivateDecryptingKey, OaepPublicEncryptingKey, PrivateDecryptingKey};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use countersign::{Algorithm, FieldSealer, Openers, OpeningKey, Pointer, SealingKey, SigningKey, Timestamp};
use countersign_bench::dudect::{self, Class, THRESHOLD};
use countersign_bench::message;
use countersign_bench::rounds::{Contender, Measured, measure};

/// Opening takes at most so many times the private operation.
const OPEN: f64 = 1.05;
/// One more field for the same recipient, in microseconds.
const ONE_MORE: f64 = 30.0;
/// Refusals of each kind.
const TIMES: usize = 10_000;

fn main() -> ExitCode {
    let wanted: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect();
    let chosen = |name: &str| wanted.is_empty() || wanted.iter().any(|wanted| wanted == name);
    let mut fine = true;
    if chosen("costs") {
        for algorithm in [Algorithm::RsaPssSha512, Algorithm::EcdsaP256Sha256] {
            fine &= costs(algorithm);
        }
    }
    if chosen("times") {
        for algorithm in [Algorithm::RsaPssSha512, Algorithm::EcdsaP256Sha256] {
            fine &= times(algorithm);
        }
    }
    if fine { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn costs(algorithm: Algorithm) -> bool {
    let pair = SigningKey::generate(algorithm, 2048).expect("a key");
    let key = OpeningKey::from_file(pair.private.as_bytes()).expect("a key to open with");
    let alg = key.public().algorithm();
    // One value and two of the same size in the same 1 KiB.
    let document = document();
    let [one, two] = [pointers(&["/number"]), pointers(&["/number", "/holder"])];
    let sealed = seal(key.public(), &document, &one, "acme");
    let bare = (algorithm == Algorithm::RsaPssSha512).then(|| bare(&pair.private));
    let openers = Openers::new([OpeningKey::from_file(pair.private.as_bytes()).expect("a key to open with")]);
    println!("\nsealed fields, {alg}, in 1 KiB of JSON");
    let sealing = |fields: &[Pointer]| seal(key.public(), &document, fields, "acme");
    let mut contenders = vec![
        Contender::new("sealed, one field", || (), |()| sealing(&one)),
        Contender::new("sealed, two fields", || (), |()| sealing(&two)),
        Contender::new(
            "opened, one field",
            || (),
            |()| openers.open(&sealed, &one, "acme", false, NOW).expect("it opens"),
        ),
    ];
    if let Some((bare, wrapped)) = &bare {
        let mut room = vec![0; bare.min_output_size()];
        let run = move |()| {
            bare.decrypt(&OAEP_SHA256_MGF1SHA256, wrapped, &mut room, None).map(|text| text.len()).expect("it opens")
        };
        contenders.push(Contender::new(BARE, || (), run));
    }
    let measured = measure(contenders);
    measured.print();
    let (more, least, _) = measured.beside("sealed, two fields", "sealed, one field");
    println!("one field more: {more:.2} µs (least {least:.2}; at most {ONE_MORE})");
    least <= ONE_MORE && (bare.is_none() || opening(&measured))
}

fn opening(measured: &Measured) -> bool {
    let (median, least) = measured.ratio("opened, one field", BARE);
    let (beside, _, _) = measured.beside("opened, one field", BARE);
    println!(
        "opening: {median:.3} times the private operation (least {least:.3}; at most {OPEN}), {beside:.2} µs more"
    );
    median.min(least) <= OPEN
}

/// The private operation alone, and what it opens.
fn bare(private: &str) -> (OaepPrivateDecryptingKey, Vec<u8>) {
    let der = pem::parse(private).expect("a PEM file");
    let key = PrivateDecryptingKey::from_pkcs8(der.contents()).expect("an RSA key");
    let public = OaepPublicEncryptingKey::new(key.public_key()).expect("an RSA key");
    let mut wrapped = vec![0; public.ciphertext_size()];
    public.encrypt(&OAEP_SHA256_MGF1SHA256, &[7; 32], &mut wrapped, None).expect("wrapped");
    (OaepPrivateDecryptingKey::new(key).expect("an RSA key"), wrapped)
}

/// Everything that is refused, beside a wrong tag.
fn times(algorithm: Algorithm) -> bool {
    let generate = || {
        let pair = SigningKey::generate(algorithm, 2048).expect("a key");
        OpeningKey::from_file(pair.private.as_bytes()).expect("a key to open with")
    };
    let (key, unknown) = (generate(), generate());
    let (document, fields) = (document(), pointers(&["/number"]));
    let good = |key: &SealingKey, partner: &str| seal(key, &document, &fields, partner);
    let class = |name, make: &dyn Fn() -> Vec<u8>| Class { name, inputs: (0..32).map(|_| make()).collect() };
    let tag = || changed(&good(key.public(), "acme"), 4, |tag| tag[0] ^= 1);
    let classes = [
        class("a wrong tag", &tag),
        class("another wrong tag (the control)", &tag),
        class("a wrong padding", &|| changed(&good(key.public(), "acme"), 1, |wrapped| random(&mut wrapped[1..]))),
        class("beyond the modulus", &|| changed(&good(key.public(), "acme"), 1, |wrapped| wrapped.fill(255))),
        class("an unknown kid", &|| good(unknown.public(), "acme")),
        class("another partner", &|| good(key.public(), "emca")),
        class("another place", &|| {
            let sealed = seal(key.public(), &document, &pointers(&["/holder"]), "acme");
            String::from_utf8(sealed).expect("JSON").replace("number", "x").replace("holder", "number").into_bytes()
        }),
    ];
    let openers = Openers::new([key]);
    println!("\nrefusals, {}, {TIMES} of each", openers.public().next().expect("a key").algorithm());
    println!("{:<44} {:>9} {:>12} {:>8}", "", "median µs", "beside, ns", "t");
    let refuse = |sealed: &Vec<u8>| openers.open(sealed, &fields, "acme", false, NOW).expect_err("it does not open");
    let told = dudect::compare(&classes, TIMES, refuse);
    let reference = told[0].median;
    for class in &told {
        println!("{:<44} {:>9.2} {:>12.0} {:>8.2}", class.name, class.median / 1e3, class.median - reference, class.t);
    }
    let most = told.iter().map(|class| class.t).fold(0.0, f64::max);
    println!("the largest t is {most:.2}; above {THRESHOLD} times differ");
    most < THRESHOLD
}

/// With one part of its sealed field changed.
fn changed(document: &[u8], part: usize, change: impl Fn(&mut [u8])) -> Vec<u8> {
    let text = std::str::from_utf8(document).expect("JSON");
    let from = text.find("\"eyJ").expect("a sealed field") + 1;
    let to = from + text[from..].find('"').expect("its end");
    let mut parts: Vec<String> = text[from..to].split('.').map(str::to_owned).collect();
    let mut bytes = URL_SAFE_NO_PAD.decode(&parts[part]).expect("base64url");
    change(&mut bytes);
    parts[part] = URL_SAFE_NO_PAD.encode(bytes);
    [&text[..from], &parts.join("."), &text[to..]].concat().into_bytes()
}

fn seal(to: &SealingKey, document: &[u8], fields: &[Pointer], partner: &str) -> Vec<u8> {
    let sealer = FieldSealer { fields, to, partner, expires: None };
    let mut fill = |bytes: &mut [u8]| {
        random(bytes);
        Ok(())
    };
    sealer.seal(document, &mut fill).expect("sealed").document
}

fn random(bytes: &mut [u8]) {
    rand::fill(bytes).expect("randomness");
}

fn document() -> Vec<u8> {
    let body = message::body();
    let filler = "x".repeat(body.len().saturating_sub(80));
    format!(r#"{{"number": "4111111111111111", "holder": "A. Jones, London", "note": "{filler}"}}"#).into_bytes()
}

fn pointers(texts: &[&str]) -> Vec<Pointer> {
    texts.iter().map(|text| text.parse().expect("a pointer")).collect()
}

const NOW: Timestamp = message::NOW;
const BARE: &str = "the private operation alone";
