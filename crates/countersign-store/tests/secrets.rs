//! Shared secrets at rest.

mod support;

use std::os::unix::fs::PermissionsExt;
use std::sync::Barrier;

use countersign::{Scheme, SharedSecret};
use countersign_store::registry::{Error, Failed};
use countersign_store::secrets::{Place as SecretPlace, SealingKey, SecretsError};
use support::{Place, app_key, now};

fn place() -> SecretPlace<'static> {
    SecretPlace { scheme: Scheme::AppHmac, id: "app", version: 1, partner: "alice" }
}

fn secret(bytes: &[u8]) -> SharedSecret {
    SharedSecret::from_file([bytes, b"\n"].concat())
}

#[test]
fn a_secret_comes_back_as_it_went_in() {
    let dir = tempfile::tempdir().unwrap();
    let key = SealingKey::open_or_create(dir.path()).unwrap();
    for bytes in [&b"0123456789abcdef"[..], b"ends in LF\n", b"\n\n\n", b"", &[0xff; 300]] {
        let sealed = key.seal(place(), &secret(bytes)).unwrap();
        assert_eq!(key.open(place(), &sealed).unwrap().expose(), bytes);
        assert!(bytes.is_empty() || !sealed.windows(bytes.len()).any(|window| window == bytes));
        assert_ne!(key.seal(place(), &secret(bytes)).unwrap(), sealed, "a nonce was used twice");
        let other = SealingKey::open_or_create(&dir.path().join("other")).unwrap();
        assert!(other.open(place(), &sealed).is_err());
        for at in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[at] ^= 1;
            assert!(key.open(place(), &changed).is_err(), "byte {at}");
            assert!(key.open(place(), &sealed[..at]).is_err(), "{at} bytes");
        }
    }
    assert_eq!(format!("{key:?}"), "SealingKey(…)");
}

#[test]
fn a_secret_moved_to_another_row() {
    let dir = tempfile::tempdir().unwrap();
    let key = SealingKey::open_or_create(dir.path()).unwrap();
    let sealed = key.seal(place(), &secret(b"0123456789abcdef")).unwrap();
    for other in [
        SecretPlace { scheme: Scheme::HttpMessageSignatures, ..place() },
        SecretPlace { id: "app2", ..place() },
        SecretPlace { version: 2, ..place() },
        SecretPlace { partner: "bob", ..place() },
        SecretPlace { id: "appalice", partner: "", ..place() },
    ] {
        assert!(key.open(other, &sealed).is_err(), "{other:?}");
    }
}

#[test]
fn a_secret_is_recognised_without_its_hash_being_kept() {
    let dir = tempfile::tempdir().unwrap();
    let key = SealingKey::open_or_create(dir.path()).unwrap();
    let again = SealingKey::open_or_create(dir.path()).unwrap();
    let other = SealingKey::open_or_create(&dir.path().join("other")).unwrap();
    let weak = secret(b"password password");
    assert_eq!(key.fingerprint(&weak), again.fingerprint(&weak));
    assert_ne!(key.fingerprint(&weak), other.fingerprint(&weak));
    assert_ne!(key.fingerprint(&weak), key.fingerprint(&secret(b"password passworD")));
    // RFC 2104 §2: a key longer than a block is the same key as its hash.
    let long = [7_u8; 65];
    let hash = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &long);
    assert_eq!(key.fingerprint(&secret(&long)), key.fingerprint(&secret(hash.as_ref())));
}

#[test]
fn a_sealing_key_that_others_can_read() {
    let dir = tempfile::tempdir().unwrap();
    SealingKey::open_or_create(dir.path()).unwrap();
    let path = SealingKey::path_in(dir.path());
    assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    for mode in [0o640, 0o604, 0o660, 0o644, 0o601] {
        std::fs::set_permissions(&path, PermissionsExt::from_mode(mode)).unwrap();
        let refused = SealingKey::open_or_create(dir.path()).unwrap_err();
        assert!(matches!(refused, SecretsError::Readable { .. }), "{mode:o}: {refused}");
        assert!(refused.hint().unwrap().starts_with(&format!("chmod 600 {}", path.display())));
    }
    std::fs::set_permissions(&path, PermissionsExt::from_mode(0o400)).unwrap();
    SealingKey::open_or_create(dir.path()).unwrap();
}

#[test]
fn a_private_file_overwritten_by_a_second_start() {
    let dir = tempfile::tempdir().unwrap();
    let path = SealingKey::path_in(dir.path());
    for text in ["", "short", "====", &"A".repeat(44), &"A".repeat(1 << 20)] {
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o600)).unwrap();
        let refused = SealingKey::open_or_create(dir.path()).unwrap_err();
        assert!(matches!(refused, SecretsError::Damaged { .. }), "{refused}");
        assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
    }
}

#[test]
fn a_hundred_starts_at_once_end_with_one_key() {
    for _ in 0..5 {
        let dir = tempfile::tempdir().unwrap();
        let data = dir.path().join("data");
        let begin = Barrier::new(20);
        let marks: Vec<[u8; 32]> = std::thread::scope(|scope| {
            let starts: Vec<_> = (0..20)
                .map(|_| {
                    scope.spawn(|| {
                        begin.wait();
                        SealingKey::open_or_create(&data).unwrap().fingerprint(&secret(b"x"))
                    })
                })
                .collect();
            starts.into_iter().map(|start| start.join().unwrap()).collect()
        });
        assert!(marks.iter().all(|mark| *mark == marks[0]));
        let files: Vec<_> = std::fs::read_dir(&data).unwrap().map(|file| file.unwrap().file_name()).collect();
        assert_eq!(files, ["secrets.key"]);
    }
}

#[tokio::test]
async fn a_lost_sealing_key_is_not_replaced_in_silence() {
    let place = Place::new();
    let registry = place.with_partners().await;
    registry.add_key(app_key("alice", "app", "0123456789abcdef"), now()).await.unwrap();
    std::fs::remove_file(SealingKey::path_in(&place.data())).unwrap();
    let lost = registry.add_key(app_key("alice", "app2", "fedcba9876543210"), now()).await.unwrap_err();
    assert!(matches!(&lost, Error::Failed(Failed::Secrets(SecretsError::Missing { .. }))), "{lost}");
    assert!(lost.hint().unwrap().contains("backup"));
    assert!(!SealingKey::path_in(&place.data()).exists());
}
