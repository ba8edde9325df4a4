//! RSA keys that are too small, too large, or have an exponent that gives the signature away.

use countersign::Algorithm;

use super::forms::{armour, url};
use super::{load, load_spki};

#[test]
fn an_rsa_key_below_2048_bits_is_refused() {
    for algorithm in RSA {
        for bits in [512, 1024, 2040, 2047] {
            for file in in_every_form(&modulus(bits), &[1, 0, 1]) {
                assert!(load(algorithm, &file).is_err(), "{bits} bits for {algorithm}");
            }
            assert!(load_spki(algorithm, &rsa_spki(&modulus(bits), &[1, 0, 1])).is_err());
        }
        // It is the number of bits and nothing else about these numbers that refused them.
        for file in in_every_form(&modulus(2048), &[1, 0, 1]) {
            assert!(load(algorithm, &file).is_ok(), "{:?}", load(algorithm, &file).err());
        }
    }
}

#[test]
fn a_huge_rsa_key_that_costs_the_verifier_much_is_refused() {
    for algorithm in RSA {
        for bits in [8193, 16384, 65536, 262_144] {
            for file in in_every_form(&modulus(bits), &[1, 0, 1]) {
                assert!(load(algorithm, &file).is_err(), "{bits} bits for {algorithm}");
            }
        }
        // As dear as a huge modulus is a huge exponent.
        for file in in_every_form(&modulus(2048), &modulus(2047)) {
            assert!(load(algorithm, &file).is_err());
        }
    }
}

#[test]
fn an_rsa_key_with_exponent_1_or_an_even_one_is_refused() {
    for algorithm in RSA {
        for exponent in [&[1][..], &[2], &[4], &[1, 0, 0], &[0xff, 0xfe]] {
            for file in in_every_form(&modulus(2048), exponent) {
                assert!(load(algorithm, &file).is_err(), "exponent {exponent:?} for {algorithm}");
            }
            assert!(load_spki(algorithm, &rsa_spki(&modulus(2048), exponent)).is_err());
        }
        assert!(load_spki(algorithm, &rsa_spki(&modulus(2048), &[0])).is_err());
        assert!(load_spki(algorithm, &rsa_spki(&modulus(2048), &[3])).is_ok());
    }
}

const RSA: [Algorithm; 3] = [Algorithm::RsaPssSha512, Algorithm::RsaV15Sha256, Algorithm::RsaPssSha256];

/// An element of DER.
pub(crate) fn der(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = content.len().to_be_bytes();
    let length = &length[length.iter().position(|byte| *byte > 0).unwrap_or(7)..];
    match content.len() {
        0..=0x7f => [&[tag], length, content].concat(),
        _ => [&[tag, 0x80 | u8::try_from(length.len()).unwrap()], length, content].concat(),
    }
}

pub(crate) fn number(bytes: &[u8]) -> Vec<u8> {
    if bytes[0] < 0x80 { der(0x02, bytes) } else { der(0x02, &[&[0], bytes].concat()) }
}

fn rsa_pkcs1(modulus: &[u8], exponent: &[u8]) -> Vec<u8> {
    der(0x30, &[number(modulus), number(exponent)].concat())
}

fn rsa_spki(modulus: &[u8], exponent: &[u8]) -> Vec<u8> {
    let identifier = [0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01, 0x05, 0x00];
    let key = [&[0], &rsa_pkcs1(modulus, exponent)[..]].concat();
    der(0x30, &[&identifier[..], &der(0x03, &key)].concat())
}

fn rsa_jwk(modulus: &[u8], exponent: &[u8]) -> Vec<u8> {
    let [n, e] = [modulus, exponent].map(url);
    format!(r#"{{"kty":"RSA","n":"{n}","e":"{e}"}}"#).into_bytes()
}

/// A modulus of so many bits that nobody chose: odd, the highest bit set.
fn modulus(bits: usize) -> Vec<u8> {
    let mut bytes: Vec<u8> = (0..bits.div_ceil(8)).map(|at| u8::try_from(at * 151 % 251).unwrap() | 1).collect();
    let over = bytes.len() * 8 - bits;
    bytes[0] = 0x80 >> over | (bytes[0] & (0x7f >> over));
    bytes
}

fn in_every_form(modulus: &[u8], exponent: &[u8]) -> [Vec<u8>; 4] {
    let spki = rsa_spki(modulus, exponent);
    [armour("PUBLIC KEY", &spki).into_bytes(), spki, rsa_pkcs1(modulus, exponent), rsa_jwk(modulus, exponent)]
}
