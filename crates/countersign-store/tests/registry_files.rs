//! The files of the registry, and many processes on them.

mod support;

use std::os::unix::fs::PermissionsExt;

use countersign_store::Registry;
use countersign_store::registry::{Error, Failed, Refused};
use support::{Place, app_key, now, refused};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_processes_start_and_write_at_once() {
    let place = Place::new();
    let opened = (0..8).map(|_| {
        let (url, data) = (format!("sqlite://{}", place.file().display()), place.data());
        tokio::spawn(async move { Registry::open(&url, &data).await })
    });
    let mut handles = Vec::new();
    for task in opened.collect::<Vec<_>>() {
        handles.push(task.await.unwrap().unwrap());
    }
    let adding = handles.iter().cloned().enumerate().map(|(at, registry)| {
        tokio::spawn(async move {
            let mine = format!("partner-{at}");
            let everyones = registry.add_partner("everyones", now()).await.is_ok();
            registry.add_partner(&mine, now()).await.unwrap();
            for number in 0..5 {
                let text = format!("secret number {at} {number}");
                registry.add_key(app_key(&mine, &format!("{at}-{number}"), &text), now()).await.unwrap();
            }
            everyones
        })
    });
    let mut firsts = 0;
    for task in adding.collect::<Vec<_>>() {
        firsts += usize::from(task.await.unwrap());
    }
    assert_eq!(firsts, 1);
    assert_eq!(handles[0].keys(None).await.unwrap().len(), 40);
}

#[tokio::test]
async fn every_file_is_private_from_its_first_moment() {
    let place = Place::new();
    let registry = place.with_partners().await;
    registry.add_key(app_key("alice", "app", "Zq7-plaintext-secret"), now()).await.unwrap();
    let mode = |path: &std::path::Path| path.metadata().unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&place.data()), 0o700);
    let mut names = Vec::new();
    for file in std::fs::read_dir(place.data()).unwrap() {
        let file = file.unwrap();
        assert_eq!(mode(&file.path()), 0o600, "{:?}", file.file_name());
        names.push(file.file_name().into_string().unwrap());
        let bytes = std::fs::read(file.path()).unwrap();
        assert!(!bytes.windows(8).any(|window| window == b"Zq7-plai"), "{names:?}");
    }
    names.sort();
    assert_eq!(names, ["registry.db", "registry.db-shm", "registry.db-wal", "secrets.key"]);

    let backup = place.dir.path().join("copy.db");
    let what = registry.backup(&backup).await.unwrap();
    assert_eq!((what.partners, what.keys, what.secrets), (2, 1, true));
    assert_eq!(mode(&backup), 0o600);
    let beside: Vec<_> = std::fs::read_dir(place.dir.path()).unwrap().map(|it| it.unwrap().file_name()).collect();
    assert_eq!(beside.len(), 2, "{beside:?}");
    assert_eq!(refused(registry.backup(&backup).await), Refused::BackupExists(backup.clone()));
    let copy = Registry::open(&format!("sqlite:{}", backup.display()), &place.data()).await.unwrap();
    assert_eq!(copy.keys(None).await.unwrap(), registry.keys(None).await.unwrap());
    registry.close().await;
}

#[tokio::test]
async fn urls_that_are_not_a_registry() {
    let place = Place::new();
    for url in ["", "sqlite:", "sqlite::memory:", "sqlite://", "registry.db", "sqlite:a?mode=memory", "redis://x"] {
        assert!(matches!(refused(Registry::open(url, &place.data()).await), Refused::Url(_)), "{url}");
    }
    let url = "postgres://user:hunter2@db/x";
    let error = Registry::open(url, &place.data()).await.unwrap_err().to_string();
    assert!(!error.contains("hunter2"), "{error}");
    let odd = place.data().join("a b%20#ü.db");
    Registry::open(&format!("sqlite:{}", odd.display()), &place.data()).await.unwrap();
    assert!(odd.exists());
    let error = Registry::open(&format!("sqlite:{}", place.data().display()), &place.data()).await.unwrap_err();
    assert!(matches!(error, Error::Failed(Failed::Database { .. })), "{error}");
}
