//! The signed examples of RFC 9421, through the same chain as every message; where they are not at hand, examples of our own
//! in the same forms.

#[path = "rfc9421/examples.rs"]
mod examples;
#[path = "rfc9421/message.rs"]
mod message;
mod support;

use countersign::*;
use examples::{Example, Examples};
use message::Text;
use support::published::published;
use support::{NOW, Pair, run};

const RFC: Scheme = Scheme::HttpMessageSignatures;

fn examples() -> Option<Examples> {
    Some(Examples::read(&published("rfc9421/appendix-B.md")?, &published("rfc9421/sections-2.4-to-4.3-examples.md")?))
}

#[test]
fn every_signed_example_verifies() {
    let Some(examples) = examples() else { return our_own() };
    assert_eq!(examples.good.len(), 17, "14 signatures, and one of them over three transformations");
    for example in &examples.good {
        assert_eq!(example.verify(&examples.keys()), Ok(()), "{example:?}");
    }
    assert_eq!(examples.bad.len(), 2);
    for example in &examples.bad {
        assert_eq!(example.verify(&examples.keys()), Err(Code::BadSignature), "{example:?}");
    }
}

#[test]
fn a_changed_bit_of_any_example_fails() {
    let Some(examples) = examples() else { return our_own() };
    for example in &examples.good {
        let mut changed = example.clone();
        changed.message.flip_signature_bit(&example.label);
        assert_eq!(changed.verify(&examples.keys()), Err(Code::BadSignature), "{example:?}");
    }
}

#[test]
fn what_is_deterministic_comes_out_byte_for_byte() {
    let Some(examples) = examples() else { return our_own() };
    let labels = ["sig-b25", "sig-b26", "transform", "proxy_sig"];
    for label in labels {
        let example = examples.good.iter().find(|example| example.label == label).unwrap();
        let signed = example.sign(&examples.signing_key(example.key_id()));
        assert_eq!(signed.signature, example.message.signature(label), "{label}");
        assert!(examples.bases.contains(&signed.base), "{label}: {}", signed.base);
    }
}

#[test]
fn the_base_of_every_example_is_the_printed_one() {
    let Some(examples) = examples() else { return our_own() };
    let differs = |example: &&Example| {
        let signed = example.sign(&examples.signing_key(example.key_id()));
        !examples.bases.contains(&signed.base)
    };
    let differ: Vec<_> = examples.good.iter().filter(differs).collect();
    // Of the requests in sections 2.4 and 4.3 that clients sign no base is printed.
    assert!(differ.len() == 2 && differ.iter().all(|example| example.label == "sig1"), "{differ:?}");
}

#[test]
fn the_keys_are_the_same_in_pem_and_jwk() {
    let Some(examples) = examples() else { return our_own() };
    assert_eq!(examples.jwks.len(), 4);
    for (id, jwk) in &examples.jwks {
        let key = SigningKey::from_file(jwk.as_bytes(), RFC, None).unwrap_or_else(|fault| panic!("{id}: {fault}"));
        assert_eq!(key.public_pem(), examples.signing_key(id).public_pem(), "{id}");
    }
}

/// Messages in the forms of the examples, signed here with keys made here.
fn our_own() {
    for (algorithm, input) in [
        (Algorithm::Ed25519, r#"("date" "@method" "@path" "@authority");created=1795000000;keyid="k""#),
        (Algorithm::RsaPssSha512, r#"();keyid="k";created=1795000000;nonce="n""#),
        (Algorithm::RsaV15Sha256, r#"("@query-param";name="Pet");created=1795000000;keyid="k";alg="rsa-v1_5-sha256""#),
        (Algorithm::EcdsaP256Sha256, r#"("date";bs "@query");created=1795000000;expires=1795000060;keyid="k";x=1"#),
        (Algorithm::HmacSha256, r#"("date");tag="header-example";created=1795000000;keyid="k""#),
    ] {
        let pair = Pair::new(RFC, algorithm, "k", "acme");
        let head = "POST /foo?param=Value&Pet=dog HTTP/1.1\nHost: example.com\nDate: Tue, 20 Apr 2021 02:07:55 GMT\n";
        let unsigned = Text::parse(&format!("{head}Signature-Input: own={input}\nSignature: own=:AAAA:\n"));
        let mut example = Example { label: "own".to_owned(), message: unsigned, request: None };
        let signed = example.sign(&pair.signer);
        example.message.set_signature("own", &signed.signature);
        let keys = Keys::new([VerifyingKey::new(pair.record.clone()).unwrap()]);
        assert_eq!(example.verify_at(&keys, NOW), Ok(()), "{input}");
        example.message.flip_signature_bit("own");
        assert_eq!(example.verify_at(&keys, NOW), Err(Code::BadSignature), "{input}");
        if algorithm.is_symmetric() || algorithm == Algorithm::Ed25519 || algorithm == Algorithm::RsaV15Sha256 {
            assert_eq!(example.sign(&pair.signer), signed);
        }
        assert!(signed.base.ends_with(&format!("\"@signature-params\": {input}")));
    }
}

#[test]
fn our_own_examples_in_the_same_forms() {
    our_own();
}

#[test]
fn a_given_input_has_to_be_the_signers() {
    let pair = Pair::new(RFC, Algorithm::Ed25519, "k", "acme");
    for input in [
        r#"("@method");keyid="other""#,
        r#"("@method");alg="hmac-sha256""#,
        r#"("@method" "@method")"#,
        r#"("absent")"#,
        r#"("@method""#,
        r#"("@status")"#,
        r#"("@path");created=1"#,
        // Blanks around it would be signed, and be none of the member that comes.
        r#"("@method") "#,
        r#" ("@method")"#,
        "",
    ] {
        let head = support::Request::get("/").head().unwrap();
        let form = Form { signature_input: Some(input.to_owned()), ..Form::new(RFC, "k") };
        let unsigned = Draft::new(head, form).finish("n", NOW).unwrap();
        assert!(run(unsigned.sign(&pair.signer)).is_err(), "{input}");
    }
}
