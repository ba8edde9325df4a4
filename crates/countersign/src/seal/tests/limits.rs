//! The last that is taken, and the first that is not.

use super::forgery::Forgery;
use super::*;

#[test]
fn a_header_of_8_kib_is_read_and_a_longer_one_is_not() {
    let key = key(Algorithm::EcdsaP256Sha256);
    let openers = Openers::new([key]);
    let key = &openers.keys()[0];
    let padded = |room: usize| Forgery::new(key).with("{", &format!(r#"{{"pad":"{}","#, "x".repeat(room))).parts();
    let bare = padded(0)[0].len();
    // Three bytes are four characters.
    let room = (8192 - bare) / 4 * 3;
    let lengths = (room - 3..room + 9).map(|room| {
        let parts = padded(room);
        (parts[0].len(), open(&openers, &format!(r#"{{"n": "{}"}}"#, parts.join(".")), &["/n"], "acme").is_ok())
    });
    let lengths: Vec<_> = lengths.collect();
    assert!(lengths.contains(&(8192, true)), "{lengths:?}");
    assert!(lengths.iter().all(|(length, opens)| *opens == (*length <= 8192)), "{lengths:?}");
    assert!(lengths.iter().any(|(length, _)| *length > 8192), "{lengths:?}");
}

/// Counted by steps, not by characters of the pointer.
#[test]
fn a_field_far_inside_may_be_as_much_less_deep() {
    let key = key(Algorithm::EcdsaP256Sha256);
    let deep = |levels: usize| {
        let text = "[".repeat(levels) + &"]".repeat(levels);
        let sealed = Forgery::new(&key).with("/n", "/card/number").text(&text).parts().join(".");
        format!(r#"{{"card": {{"number": "{sealed}"}}}}"#)
    };
    let (fits, deeper) = (deep(126), deep(127));
    let openers = Openers::new([key]);
    assert!(open(&openers, &fits, &["/card/number"], "acme").is_ok());
    assert_refused(open(&openers, &deeper, &["/card/number"], "acme"), "/card/number");
}

#[test]
fn a_pointer_has_1024_bytes_and_32_steps() {
    for (fits, beyond) in [(format!("/{}", "x".repeat(1023)), "x"), ("/x".repeat(32), "/x")] {
        assert_eq!(fits.parse::<Pointer>().map(|pointer| pointer.as_str().to_owned()), Ok(fits.clone()));
        assert!(format!("{fits}{beyond}").parse::<Pointer>().is_err(), "{fits}");
    }
}

#[test]
fn a_name_has_256_bytes_and_a_set_64_keys() {
    let key = key(Algorithm::EcdsaP256Sha256);
    let (jwk, thumbprint) = (key.public().jwk(), key.public().thumbprint());
    assert_eq!((key.public().id(), thumbprint.len()), (thumbprint.as_str(), 43));
    let called = |name: &str| SealingKey::from_file(jwk.replace(&thumbprint, name).as_bytes()).unwrap();
    let longest = "k".repeat(256);
    assert_eq!(called(&longest).id(), longest);
    assert_eq!(called(&longest).thumbprint(), thumbprint, "whatever it is called");
    for name in ["", &"k".repeat(257)] {
        assert_eq!(called(name).id(), thumbprint, "{name}");
    }
    let set = format!(r#"{{"keys": [{}]}}"#, vec![jwk; 65].join(","));
    assert_eq!(SealingKey::from_set(set.as_bytes()).unwrap().len(), 64);
}

#[test]
fn what_opens_is_told_in_its_order() {
    let (one, other) = (key(Algorithm::EcdsaP256Sha256), key(Algorithm::EcdsaP256Sha256));
    let ids = [&one, &other].map(|key| key.public().id().to_owned());
    let openers = Openers::new([one, other]);
    assert_eq!(openers.public().map(SealingKey::id).collect::<Vec<_>>(), ids);
    assert_eq!(openers.keys().iter().map(|key| key.public().id()).collect::<Vec<_>>(), ids);
}
