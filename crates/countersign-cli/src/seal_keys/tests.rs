use std::path::Path;

use super::*;

const DAY: Duration = Duration::from_hours(24);

fn config(seal: &str) -> Config {
    let text = format!(
        "[[route]]\npath = \"/orders\"\nupstream = \"http://127.0.0.1:9000\"\nopen = [\"/card\"]\n\n[seal]\n{seal}\n"
    );
    Config::read(&text, Path::new("/etc/countersign.toml"), std::iter::empty()).unwrap().0
}

/// The states of all keys to seal for at a time, the last that was made first.
async fn states(registry: &Registry, at: Timestamp) -> Vec<KeyState> {
    registry.own_keys(OwnUse::Seal).await.unwrap().iter().map(|key| key.state(at)).collect()
}

#[tokio::test]
async fn a_key_to_seal_for_is_followed_by_another_after_a_year() {
    let data = tempfile::tempdir().unwrap();
    let url = format!("sqlite:{}", data.path().join("registry.db").display());
    let registry = Registry::open(&url, data.path()).await.unwrap();
    let (config, start) = (config(""), Timestamp::from_secs(1_800_000_000));
    let after = |days: u32| start.after(DAY * days);

    renew(&registry, &config, start).await.unwrap();
    renew(&registry, &config, after(364)).await.unwrap();
    assert_eq!(states(&registry, after(364)).await, [KeyState::Active]);

    // Some minutes before its year is over, so that the next is known to all when it comes into use.
    renew(&registry, &config, after(365)).await.unwrap();
    let mut present = states(&registry, after(365)).await;
    present.sort_by_key(|state| *state == KeyState::Active);
    assert_eq!(present, [KeyState::Pending, KeyState::Active]);
    renew(&registry, &config, after(365)).await.unwrap();
    assert_eq!(states(&registry, after(365)).await.len(), 2, "one is enough");

    // The former opens for as long as somebody may still send what was sealed for it.
    assert!(states(&registry, after(366)).await.contains(&KeyState::Retiring));
    assert!(states(&registry, after(366 + 89)).await.contains(&KeyState::Retiring));
    let mut present = states(&registry, after(366 + 91)).await;
    present.sort_by_key(|state| *state == KeyState::Active);
    assert_eq!(present, [KeyState::Retired, KeyState::Active]);
}

#[tokio::test]
async fn keys_of_files_are_their_owners_to_rotate() {
    let data = tempfile::tempdir().unwrap();
    let url = format!("sqlite:{}", data.path().join("registry.db").display());
    let registry = Registry::open(&url, data.path()).await.unwrap();
    renew(&registry, &config("keys = [\"seal.pem\"]"), Timestamp::from_secs(1_800_000_000)).await.unwrap();
    assert_eq!(states(&registry, Timestamp::from_secs(1_800_000_000)).await, []);
}
