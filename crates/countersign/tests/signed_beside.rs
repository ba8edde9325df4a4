//! A message that carries signatures before it is signed: ours goes beside what is whole, and beside nothing else.

use countersign::{Algorithm, Draft, Form, Head, Origin, Scheme, SignError, SigningKey, Timestamp};
use http::{HeaderMap, Method};

/// The labels that the signed message carries in `Signature-Input`, or why it is not signed.
fn signed(scheme: Scheme, fields: &[(&'static str, &str)], cover: Option<&[&str]>) -> Result<String, SignError> {
    let mut headers: HeaderMap =
        fields.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect();
    let origin = Origin::parse("https://api.example.com").unwrap();
    let head = Head::request(Method::POST, "/a", origin, headers.clone(), true).unwrap();
    let cover = cover.map(|names| names.iter().map(|name| (*name).to_owned()).collect());
    let mut draft = Draft::new(head, Form { cover, ..Form::new(scheme, "k") });
    draft.push(b"{\"message_id\": \"1\", \"timestamp\": 1795000000}");
    let unsigned = draft.finish("0123456789abcdef", Timestamp::from_secs(1_795_000_000))?;
    let algorithm = scheme.algorithms()[0];
    let file = match algorithm {
        Algorithm::HmacSha256 => "a secret of more than thirty-two bytes".to_owned(),
        _ => SigningKey::generate(algorithm, 2048).unwrap().private.to_string(),
    };
    let key = SigningKey::from_file(file.as_bytes(), scheme, Some(algorithm)).unwrap();
    let waker = std::task::Waker::noop();
    let signing = std::pin::pin!(unsigned.sign(&key)).poll(&mut std::task::Context::from_waker(waker));
    let std::task::Poll::Ready(signed) = signing else { panic!("it waits") };
    signed?.apply(&mut headers);
    let inputs = headers.get_all("signature-input").iter().map(|it| it.to_str().unwrap().split('=').next().unwrap());
    Ok(inputs.collect::<Vec<_>>().join(" "))
}

const INPUT: (&str, &str) = ("signature-input", "sig1=(\"@method\");created=1;keyid=\"x\"");
const SIGNATURE: (&str, &str) = ("signature", "sig1=:AAAA:");

#[test]
fn a_second_signature_takes_another_label() {
    let sign = |fields: &[_]| signed(Scheme::HttpMessageSignatures, fields, None).unwrap();
    assert_eq!(sign(&[]), "sig1");
    assert_eq!(sign(&[INPUT, SIGNATURE]), "sig1 sig2");
    assert_eq!(sign(&[("signature-input", "a=()"), ("signature", "a=:AAAA:")]), "a sig1");
}

#[test]
fn half_a_signature_is_not_signed_beside() {
    for fields in [
        &[INPUT][..],
        &[SIGNATURE],
        &[INPUT, ("signature", "sig2=:AAAA:")],
        &[INPUT, SIGNATURE, ("signature", "sig2=:AAAA:")],
        &[INPUT, ("signature", "0123abc!")],
        &[("signature-input", "("), SIGNATURE],
    ] {
        let refused = signed(Scheme::HttpMessageSignatures, fields, None).unwrap_err();
        assert!(refused.to_string().contains("Signature") && refused.hint().is_some(), "{fields:?}: {refused}");
    }
}

#[test]
fn a_message_of_one_scheme_is_not_signed_in_another() {
    let authorization = |value| ("authorization", value);
    for scheme in [Scheme::Pki, Scheme::TrustedSite, Scheme::AppHmac] {
        let refused = signed(scheme, &[INPUT, SIGNATURE], None).unwrap_err();
        assert!(refused.to_string().contains("another scheme") && refused.hint().is_some(), "{scheme}: {refused}");
    }
    let json = ("content-type", "application/json");
    assert!(signed(Scheme::Pki, &[json, authorization("Bearer x")], None).is_err(), "it would be overwritten");
    assert!(signed(Scheme::Pki, &[json, authorization("PKI k:AAAA")], None).is_ok(), "it is signed anew");
    assert!(signed(Scheme::AppHmac, &[authorization("Bearer x")], None).is_ok());
}

#[test]
fn a_pki_key_id_that_would_end_in_another_place_is_refused() {
    for id in ["a:b", "a b", "", "a\r\nX: y"] {
        let head = Head::request(
            Method::POST,
            "/a",
            Origin::parse("https://a").unwrap(),
            HeaderMap::from_iter([(http::header::CONTENT_TYPE, "application/json".parse().unwrap())]),
            true,
        );
        let mut draft = Draft::new(head.unwrap(), Form::new(Scheme::Pki, id));
        draft.push(b"{\"message_id\": \"1\", \"timestamp\": 1795000000}");
        assert!(draft.finish("0123456789abcdef", Timestamp::from_secs(1_795_000_000)).is_err(), "{id:?}");
    }
}

#[test]
fn what_can_not_be_covered_is_named() {
    for name in ["x-absent", "@status"] {
        let refused = signed(Scheme::HttpMessageSignatures, &[], Some(&["@method", name])).unwrap_err();
        assert!(refused.to_string().ends_with(&format!(": \"{name}\"")) && refused.hint().is_some(), "{refused}");
    }
}
