//! Which material the registry takes.

mod support;

use countersign::{Algorithm, KeyState, Material, Scheme};
use countersign_store::registry::{KeyAdd, Refused};
use support::{Place, app_key, key, later, now, p256, refused, rsa, rsa_key, secret};

#[tokio::test]
async fn one_key_for_two_partners_or_two_schemes() {
    let place = Place::new();
    let registry = place.with_partners().await;
    let spki = rsa();
    let site = rsa_key("alice", "site", Scheme::TrustedSite, Algorithm::RsaV15Sha256, &spki);
    registry.add_key(site.clone(), now()).await.unwrap();
    let twice = refused(registry.add_key(site, now()).await);
    assert_eq!(twice, Refused::MaterialTwice { id: "site".into(), version: 1, state: KeyState::Active });
    let elsewhere =
        Refused::MaterialElsewhere { partner: "alice".into(), scheme: Scheme::TrustedSite, id: "site".into() };
    let http = rsa_key("alice", "k", Scheme::HttpMessageSignatures, Algorithm::RsaV15Sha256, &spki);
    assert_eq!(refused(registry.add_key(http.clone(), now()).await), elsewhere);
    let bobs = rsa_key("bob", "site2", Scheme::TrustedSite, Algorithm::RsaV15Sha256, &spki);
    assert_eq!(refused(registry.add_key(bobs, now()).await), elsewhere);
    let shared = registry.add_key(KeyAdd { shared: true, ..http }, now()).await.unwrap();
    assert!(shared.key.shared);
    let others = registry.same_material(&shared.key).await.unwrap();
    assert_eq!(others.iter().map(|key| key.id.as_str()).collect::<Vec<_>>(), ["site"]);

    let first = app_key("alice", "app", "0123456789abcdef");
    registry.add_key(first.clone(), now()).await.unwrap();
    // One secret in two forms would sign two grammars, so not even where it is meant to be shared.
    let form = countersign::AppHmacForm { layout: countersign::Layout::PayloadFirst, ..first.form.unwrap() };
    for (partner, id) in [("alice", "app2"), ("bob", "app3")] {
        let other = KeyAdd { form: Some(form), shared: true, ..app_key(partner, id, "0123456789abcdef") };
        let two = refused(registry.add_key(other, now()).await);
        assert_eq!(two, Refused::TwoForms { partner: "alice".into(), id: "app".into() });
    }
    let again = refused(registry.add_key(app_key("bob", "app2", "0123456789abcdef\n"), now()).await);
    assert!(matches!(again, Refused::MaterialElsewhere { .. }), "{again:?}");
    let padded = refused(registry.add_key(app_key("bob", "app2", "0123456789abcdef\0"), now()).await);
    assert_eq!(padded, Refused::SecretEndsInNul);
}

#[tokio::test]
async fn one_public_key_written_in_two_ways() {
    let place = Place::new();
    let registry = place.with_partners().await;
    let usual = p256();
    let add = |id: &str, spki: Vec<u8>| KeyAdd {
        algorithm: Algorithm::EcdsaP256Sha256,
        material: Material::Public(spki),
        ..key("alice", id)
    };
    registry.add_key(add("k", usual.clone()), now()).await.unwrap();
    // RFC 5480 §2.2: 02 or 03 and x instead of 04, x and y.
    let mut compressed = vec![0x30, 0x39, 0x30, 0x13];
    compressed.extend_from_slice(&usual[4..23]);
    compressed.extend_from_slice(&[0x03, 0x22, 0x00, 0x02 | (usual[90] & 1)]);
    compressed.extend_from_slice(&usual[27..59]);
    let trailing = [&usual[..], &[0]].concat();
    let raw = usual[26..].to_vec();
    for other in [compressed, trailing, raw] {
        let refused = refused(registry.add_key(add("other", other), now()).await);
        assert!(matches!(refused, Refused::UnusualForm | Refused::Material(_)), "{refused:?}");
    }
    // RSA as PKCS#1 is brought to its usual form, and recognised.
    let spki = rsa();
    let pkcs1 = spki[24..].to_vec();
    let with = |id, spki: &[u8]| rsa_key("alice", id, Scheme::TrustedSite, Algorithm::RsaV15Sha256, spki);
    registry.add_key(with("site", &pkcs1), now()).await.unwrap();
    assert!(matches!(refused(registry.add_key(with("site", &spki), now()).await), Refused::MaterialTwice { .. }));
    assert_eq!(registry.key("site", None).await.unwrap()[0].public_key.as_deref(), Some(&spki[..]));
}

#[tokio::test]
async fn a_key_of_the_wrong_kind() {
    let place = Place::new();
    let registry = place.with_partners().await;
    let base = || key("alice", "k");
    let bad = [
        KeyAdd { algorithm: Algorithm::EcdsaP256Sha256, ..base() },
        KeyAdd { algorithm: Algorithm::HmacSha256, ..base() },
        KeyAdd { material: secret("0123456789abcdef"), ..base() },
        KeyAdd { scheme: Scheme::Pki, ..base() },
        KeyAdd { form: app_key("alice", "k", "x").form, ..base() },
        KeyAdd { form: None, ..app_key("alice", "k", "0123456789abcdef") },
        app_key("alice", "k", "too short"),
        KeyAdd { material: Material::Public(vec![0x30, 0x00]), ..base() },
    ];
    for add in bad {
        let what = format!("{add:?}");
        assert!(matches!(refused(registry.add_key(add, now()).await), Refused::Material(_)), "{what}");
    }
    let backwards = KeyAdd { not_before: Some(later(10)), not_after: Some(later(10)), ..base() };
    assert!(matches!(refused(registry.add_key(backwards, now()).await), Refused::EndsBeforeItBegins { .. }));
    let over = KeyAdd { not_after: Some(now()), ..base() };
    assert_eq!(refused(registry.add_key(over, now()).await), Refused::Ended(now()));
    assert!(matches!(refused(registry.add_key(key("alice", "a\0"), now()).await), Refused::KeyId { .. }));
    assert!(registry.keys(None).await.unwrap().is_empty());
    assert!(!place.data().join("secrets.key").exists(), "made before it was needed");
}
