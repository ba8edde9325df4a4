//! The directory of trusted sites: real files, written, replaced, torn and removed beside a registry that is followed.

mod support;
#[path = "trusted_sites/suspended.rs"]
mod suspended;

use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

use countersign::{Algorithm, Scheme, Timestamp};
use countersign_store::registry::KeySelector;
use countersign_store::{Registry, Snapshots};
use support::{Place, key, later, now, rsa, rsa_key};

/// A registry, a directory beside it, and what a gateway sees of both.
struct Stage {
    place: Place,
    operator: Registry,
    snapshots: Snapshots,
    clock: Arc<AtomicI64>,
}

const MAX_STALE: Duration = Duration::from_secs(60);

impl Stage {
    async fn new() -> Self {
        let place = Place::new();
        fs::create_dir(place.dir.path().join("keys")).unwrap();
        let operator = place.with_partners().await;
        let clock = Arc::new(AtomicI64::new(now().as_millis()));
        let snapshots = follow(&place, &clock).await;
        Self { place, operator, snapshots, clock }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.place.dir.path().join("keys").join(name)
    }

    /// Puts a file there as careful people do.
    fn put(&self, name: &str, content: impl AsRef<[u8]>) {
        let fresh = self.file("fresh");
        fs::write(&fresh, content).unwrap();
        fs::rename(fresh, self.file(name)).unwrap();
    }

    fn advance(&self, seconds: u64) {
        self.clock.store(later(seconds).as_millis(), Ordering::Relaxed);
    }

    /// Partner, version and fingerprint of the key that verifies under this id.
    fn verifies(&self, id: &str) -> Option<(String, u32, [u8; 32])> {
        verifies(&self.snapshots, id, Timestamp::from_millis(self.clock.load(Ordering::Relaxed)))
    }

    fn is(&self, id: &str, spki: &[u8]) -> bool {
        self.verifies(id).is_some_and(|(_, _, fingerprint)| fingerprint == fingerprint_of(spki))
    }

    fn named(&self, words: &[&str]) -> bool {
        self.snapshots.broken().iter().any(|what| words.iter().all(|word| what.contains(word)))
    }
}

async fn follow(place: &Place, clock: &Arc<AtomicI64>) -> Snapshots {
    let registry = place.open().await.with_trusted_sites(Some(&place.dir.path().join("keys")));
    let clock = Arc::clone(clock);
    let now = move || Timestamp::from_millis(clock.load(Ordering::Relaxed));
    Snapshots::follow(&registry, MAX_STALE, now).await.unwrap()
}

fn verifies(snapshots: &Snapshots, id: &str, at: Timestamp) -> Option<(String, u32, [u8; 32])> {
    let keys = snapshots.keys(at).unwrap();
    let usable = keys.versions(Scheme::TrustedSite, id).iter().find(|key| key.usable(at))?;
    let record = usable.record();
    Some((record.partner.clone(), record.version, *usable.fingerprint()))
}

fn fingerprint_of(spki: &[u8]) -> [u8; 32] {
    countersign::Material::Public(spki.to_vec()).fingerprint()
}

fn pem(spki: &[u8]) -> String {
    use base64::Engine;
    let text = base64::engine::general_purpose::STANDARD.encode(spki);
    let lines: Vec<_> = text.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).unwrap()).collect();
    format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", lines.join("\n"))
}

/// An RSA key of 1024 bits, in the form of those of 2048.
fn weak() -> Vec<u8> {
    let modulus = [&[0x02, 0x81, 0x81, 0x00][..], &[0xc3; 128], &[0x02, 0x03, 0x01, 0x00, 0x01]].concat();
    let key = [&[0x00, 0x30, 0x81, 0x89][..], &modulus].concat();
    let name = [0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01, 0x05, 0x00];
    let whole = [&name[..], &[0x03, 0x81, u8::try_from(key.len()).unwrap()], &key].concat();
    [&[0x30, 0x81, u8::try_from(whole.len()).unwrap()][..], &whole].concat()
}

async fn within_a_second(what: &str, holds: impl Fn() -> bool) {
    let begin = Instant::now();
    while !holds() {
        assert!(begin.elapsed() < Duration::from_secs(1), "not within a second: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Long enough that whatever would happen has.
async fn a_while() {
    tokio::time::sleep(Duration::from_millis(700)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_is_a_key_until_it_is_removed() {
    let stage = Stage::new().await;
    let (first, second) = (rsa(), rsa());
    assert_eq!(stage.verifies("drupal"), None);
    stage.put("drupal_public.pem", pem(&first));
    stage.put("drupal_v2_public.pem", pem(&second));
    within_a_second("added", || stage.is("drupal", &first) && stage.is("drupal_v2", &second)).await;
    assert_eq!(stage.verifies("drupal").unwrap().0, "drupal");
    let (partner, version, _) = stage.verifies("drupal_v2").unwrap();
    assert_eq!((partner.as_str(), version), ("drupal", 2));
    let keys = stage.snapshots.keys(now()).unwrap();
    let record = keys.versions(Scheme::TrustedSite, "drupal_v2")[0].record();
    assert_eq!((record.algorithm, record.scheme), (Algorithm::RsaV15Sha256, Scheme::TrustedSite));
    assert!(stage.snapshots.broken().is_empty(), "{:?}", stage.snapshots.broken());

    fs::remove_file(stage.file("drupal_public.pem")).unwrap();
    within_a_second("removed", || stage.verifies("drupal").is_none()).await;
    assert!(stage.is("drupal_v2", &second));
    fs::remove_dir_all(stage.file("")).unwrap();
    within_a_second("the directory removed", || stage.verifies("drupal_v2").is_none()).await;
    assert!(stage.named(&["there is no such directory"]), "{:?}", stage.snapshots.broken());
    fs::create_dir(stage.file("")).unwrap();
    stage.put("drupal_public.pem", pem(&second));
    within_a_second("back", || stage.is("drupal", &second) && stage.snapshots.broken().is_empty()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_in_place_of_another_takes_over_however_it_is_written() {
    let stage = Stage::new().await;
    let keys = [rsa(), rsa(), rsa(), rsa()];
    stage.put("a_public.pem", pem(&keys[0]));
    within_a_second("first", || stage.is("a", &keys[0])).await;
    stage.put("a_public.pem", pem(&keys[1]));
    within_a_second("by a rename", || stage.is("a", &keys[1])).await;
    // The same length and, with some luck, the same time.
    fs::write(stage.file("a_public.pem"), pem(&keys[2])).unwrap();
    fs::write(stage.file("a_public.pem"), pem(&keys[3])).unwrap();
    within_a_second("in place", || stage.is("a", &keys[3])).await;
    // As directories are made that are swapped as a whole.
    stage.put("one", pem(&keys[0]));
    stage.put("two", pem(&keys[1]));
    fs::remove_file(stage.file("a_public.pem")).unwrap();
    symlink("current", stage.file("a_public.pem")).unwrap();
    symlink("one", stage.file("current")).unwrap();
    within_a_second("through links", || stage.is("a", &keys[0])).await;
    symlink("two", stage.file("next")).unwrap();
    fs::rename(stage.file("next"), stage.file("current")).unwrap();
    within_a_second("the inner link swapped", || stage.is("a", &keys[1])).await;
    fs::remove_file(stage.file("two")).unwrap();
    within_a_second("a link that leads nowhere", || stage.verifies("a").is_none()).await;
    assert!(stage.named(&["a_public.pem", "no such file"]), "{:?}", stage.snapshots.broken());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mistake_23_a_key_file_replaced_while_it_is_read() {
    let stage = Stage::new().await;
    let (first, second) = (rsa(), rsa());
    stage.put("a_public.pem", pem(&first));
    within_a_second("first", || stage.is("a", &first)).await;
    let whole = pem(&second);
    for torn in ["", "-----BEGIN PUBLIC KEY-----\n", &whole[..200], &whole[..whole.len() - 3]] {
        fs::write(stage.file("a_public.pem"), torn).unwrap();
        a_while().await;
        assert!(stage.is("a", &first), "torn at {}", torn.len());
        assert!(stage.named(&["a_public.pem"]), "{:?}", stage.snapshots.broken());
    }
    fs::write(stage.file("a_public.pem"), &whole).unwrap();
    within_a_second("whole", || stage.is("a", &second) && stage.snapshots.broken().is_empty()).await;

    // Written over and over while it is read: what verifies is one of the two, at any moment.
    let path = stage.file("a_public.pem");
    let (one, other) = (pem(&first), pem(&second));
    let writer = std::thread::spawn(move || {
        let until = Instant::now() + Duration::from_millis(1500);
        while Instant::now() < until {
            for text in [&one, &other] {
                let (begin, end) = text.split_at(300);
                fs::write(&path, begin).unwrap();
                fs::write(&path, format!("{begin}{end}")).unwrap();
            }
        }
    });
    while !writer.is_finished() {
        assert!(stage.is("a", &first) || stage.is("a", &second));
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    writer.join().unwrap();
    within_a_second("the last one", || stage.is("a", &second)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_torn_file_does_not_keep_its_key_for_ever() {
    let stage = Stage::new().await;
    let first = rsa();
    stage.put("a_public.pem", pem(&first));
    within_a_second("first", || stage.is("a", &first)).await;
    fs::write(stage.file("a_public.pem"), "not yet").unwrap();
    stage.advance(50);
    a_while().await;
    assert!(stage.is("a", &first));
    stage.advance(70);
    within_a_second("after max_stale", || stage.verifies("a").is_none()).await;
    assert!(stage.named(&["a_public.pem", "PUBLIC KEY"]), "{:?}", stage.snapshots.broken());
    let loaded = stage.snapshots.loaded_at();
    stage.advance(75);
    a_while().await;
    assert_eq!(stage.snapshots.loaded_at(), loaded, "nothing changes and nothing is loaded");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_directory_that_can_not_be_read_does_not_keep_its_keys_for_ever() {
    let stage = Stage::new().await;
    let first = rsa();
    stage.put("a_public.pem", pem(&first));
    within_a_second("first", || stage.is("a", &first)).await;
    fs::rename(stage.file(""), stage.place.dir.path().join("away")).unwrap();
    fs::write(stage.place.dir.path().join("keys"), "no directory").unwrap();
    within_a_second("told", || stage.named(&["keys: it can't be read"])).await;
    stage.advance(50);
    a_while().await;
    assert!(stage.is("a", &first));
    stage.advance(61);
    within_a_second("after max_stale", || stage.verifies("a").is_none()).await;
    fs::remove_file(stage.place.dir.path().join("keys")).unwrap();
    fs::rename(stage.place.dir.path().join("away"), stage.place.dir.path().join("keys")).unwrap();
    within_a_second("back", || stage.is("a", &first) && stage.snapshots.broken().is_empty()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_no_good_is_named_and_verifies_nothing() {
    let stage = Stage::new().await;
    let good = rsa();
    stage.put("good_public.pem", pem(&good));
    stage.put("replaced_public.pem", pem(&rsa()));
    within_a_second("good", || stage.is("good", &good) && stage.verifies("replaced").is_some()).await;
    stage.put("weak_public.pem", pem(&weak()));
    // A whole key took its place: the former one has ended, although the new one is no good.
    stage.put("replaced_public.pem", pem(&weak()));
    stage.put("curve_public.pem", pem(&support::p256()));
    let pair = countersign::SigningKey::generate(Algorithm::RsaV15Sha256, 2048).unwrap();
    stage.put("private_public.pem", pair.private.as_bytes());
    stage.put("large_public.pem", format!("{}{}", "x\n".repeat(40_000), pem(&rsa())));
    stage.put("a%2f.._public.pem", pem(&rsa()));
    stage.put("known_public.pem", RFC_9421_TEST_KEY);
    fs::create_dir(stage.file("dir_public.pem")).unwrap();
    symlink("loop_public.pem", stage.file("loop_public.pem")).unwrap();
    symlink("/dev/zero", stage.file("device_public.pem")).unwrap();
    let pipe = std::process::Command::new("mkfifo").arg(stage.file("pipe_public.pem")).status().unwrap();
    assert!(pipe.success());
    within_a_second("named", || stage.snapshots.broken().len() == 11).await;
    for words in [
        ["weak_public.pem", "2048"],
        ["replaced_public.pem", "2048"],
        ["curve_public.pem", "can't be a key"],
        ["private_public.pem", "private key"],
        ["large_public.pem", "64 KiB"],
        ["a%2f.._public.pem", "letters, digits"],
        ["known_public.pem", "public test key"],
        ["dir_public.pem", "not a file"],
        ["loop_public.pem", "can't be read"],
        ["device_public.pem", "not a file"],
        ["pipe_public.pem", "not a file"],
    ] {
        assert!(stage.named(&words), "{words:?}: {:#?}", stage.snapshots.broken());
    }
    let keys = stage.snapshots.keys(now()).unwrap();
    assert_eq!((keys.len(), stage.is("good", &good)), (1, true));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mistake_23_names_that_mean_something_else() {
    let stage = Stage::new().await;
    let (one, other) = (rsa(), rsa());
    stage.put("x_public_public.pem", pem(&one));
    stage.put("x_public.pem", pem(&other));
    within_a_second("both", || stage.is("x_public", &one) && stage.is("x", &other)).await;
    for name in ["x.pem", ".x_public.pem", "x_public.pem.tmp", "x_public.pem~", "#x_public.pem#"] {
        stage.put(name, pem(&rsa()));
    }
    a_while().await;
    assert_eq!(stage.snapshots.keys(now()).unwrap().len(), 2);
    assert!(stage.snapshots.broken().is_empty(), "{:?}", stage.snapshots.broken());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_entry_of_the_registry_wins_and_a_revoked_id_stays_revoked() {
    let stage = Stage::new().await;
    let (file, entry) = (rsa(), rsa());
    stage.put("alice_public.pem", pem(&file));
    within_a_second("by its file", || stage.is("alice", &file)).await;
    let add =
        |partner: &str, id: &str, spki: &[u8]| rsa_key(partner, id, Scheme::TrustedSite, Algorithm::RsaV15Sha256, spki);
    // Under another partner, too: the id is the registry's.
    stage.operator.add_key(add("bob", "alice", &entry), now()).await.unwrap();
    within_a_second("by its entry", || stage.is("alice", &entry)).await;
    assert_eq!(stage.verifies("alice").unwrap().0, "bob");
    assert!(stage.named(&["alice_public.pem", "the registry has a key of this id"]));
    stage.operator.revoke_key(&KeySelector::id("alice"), "stolen", now()).await.unwrap();
    within_a_second("revoked", || stage.verifies("alice").is_none()).await;
    stage.put("alice_public.pem", pem(&rsa()));
    a_while().await;
    assert_eq!(stage.verifies("alice"), None, "a new file does not bring a revoked id back");
    // Nor does another name bring back a key that was revoked.
    stage.put("carol_public.pem", pem(&entry));
    within_a_second("named", || stage.named(&["carol_public.pem", "stays revoked"])).await;
    assert_eq!(stage.verifies("carol"), None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_of_another_scheme_or_partner_is_no_sites_key() {
    let stage = Stage::new().await;
    let (http, bobs, alices) = (rsa(), rsa(), rsa());
    let scheme = Scheme::HttpMessageSignatures;
    let operator = &stage.operator;
    operator.add_key(rsa_key("alice", "k", scheme, Algorithm::RsaV15Sha256, &http), now()).await.unwrap();
    let site =
        |partner: &str, id: &str, spki: &[u8]| rsa_key(partner, id, Scheme::TrustedSite, Algorithm::RsaV15Sha256, spki);
    operator.add_key(site("bob", "bobs", &bobs), now()).await.unwrap();
    operator.add_key(site("alice", "alice_v1", &alices), now()).await.unwrap();
    stage.put("alice_public.pem", pem(&http));
    stage.put("alice_v3_public.pem", pem(&bobs));
    stage.put("alice_v2_public.pem", pem(&alices));
    within_a_second("the partner's own", || stage.is("alice_v2", &alices)).await;
    assert!(stage.named(&["alice_public.pem", "http-message-signatures key \"k\""]), "{:?}", stage.snapshots.broken());
    assert!(stage.named(&["alice_v3_public.pem", "of the partner \"bob\""]), "{:?}", stage.snapshots.broken());
    assert!(stage.verifies("alice").is_none() && stage.verifies("alice_v3").is_none());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_of_a_suspended_partner_are_not_usable_wherever_they_lie() {
    let stage = Stage::new().await;
    let spki = rsa();
    stage.put("alice_v2_public.pem", pem(&spki));
    within_a_second("added", || stage.is("alice_v2", &spki)).await;
    stage.operator.suspend_partner("alice", now()).await.unwrap();
    within_a_second("suspended", || stage.verifies("alice_v2").is_none()).await;
    let keys = stage.snapshots.keys(now()).unwrap();
    assert_eq!(keys.versions(Scheme::TrustedSite, "alice_v2").len(), 1, "known, not usable");
    stage.operator.resume_partner("alice", now()).await.unwrap();
    within_a_second("resumed", || stage.is("alice_v2", &spki)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_removed_file_ends_its_key_at_every_gateway() {
    let stage = Stage::new().await;
    let others = follow(&stage.place, &stage.clock).await;
    stage.put("a_public.pem", pem(&rsa()));
    within_a_second("added", || stage.verifies("a").is_some() && verifies(&others, "a", now()).is_some()).await;
    stage.operator.add_key(key("alice", "k"), now()).await.unwrap();
    fs::remove_file(stage.file("a_public.pem")).unwrap();
    within_a_second("removed", || stage.verifies("a").is_none() && verifies(&others, "a", now()).is_none()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_changes_and_nothing_is_loaded() {
    let stage = Stage::new().await;
    stage.put("a_public.pem", pem(&rsa()));
    stage.put("weak_public.pem", pem(&weak()));
    stage.put("torn_public.pem", "x");
    within_a_second("added", || stage.verifies("a").is_some() && stage.snapshots.broken().len() == 2).await;
    a_while().await;
    let keys = stage.snapshots.keys(now()).unwrap();
    tokio::time::sleep(Duration::from_millis(2500)).await;
    assert!(Arc::ptr_eq(&keys, &stage.snapshots.keys(now()).unwrap()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_directory_of_too_many_files_is_taken_in_part_and_told() {
    let stage = Stage::new().await;
    let content = pem(&rsa());
    let begin = Instant::now();
    for number in 1..10_002 {
        fs::write(stage.file(&format!("s_v{number:05}_public.pem")), &content).unwrap();
    }
    let told = || stage.named(&["more than 10000 keys"]) && stage.verifies("s_v10000").is_some();
    while !told() {
        assert!(begin.elapsed() < Duration::from_secs(60), "{:?}", stage.snapshots.broken().len());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(stage.snapshots.keys(now()).unwrap().len(), 10_000);
    assert!(stage.verifies("s_v10001").is_none());
}

/// `test-key-rsa` of RFC 9421, appendix B.1.1: its private half is printed beside it.
const RFC_9421_TEST_KEY: &str = "-----BEGIN RSA PUBLIC KEY-----
MIIBCgKCAQEAhAKYdtoeoy8zcAcR874L8cnZxKzAGwd7v36APp7Pv6Q2jdsPBRrw
WEBnez6d0UDKDwGbc6nxfEXAy5mbhgajzrw3MOEt8uA5txSKobBpKDeBLOsdJKFq
MGmXCQvEG7YemcxDTRPxAleIAgYYRjTSd/QBwVW9OwNFhekro3RtlinV0a75jfZg
kne/YiktSvLG34lw2zqXBDTC5NHROUqGTlML4PlNZS5Ri2U4aCNx2rUPRcKIlE0P
uKxI4T+HIaFpv8+rdV6eUgOrB2xeI1dSFFn/nnv5OoZJEIB+VmuKn3DCUcCZSFlQ
PSXSfBDiUGhwOw76WuSSsf1D4b/vLoJ10wIDAQAB
-----END RSA PUBLIC KEY-----
";
