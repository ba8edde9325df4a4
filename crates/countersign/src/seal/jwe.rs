//! One JWE in compact form (RFC 7516 §7.1): header, wrapped content key, IV, ciphertext, tag.

use std::borrow::Cow;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use zeroize::Zeroizing;

use crate::json::{Document, Kind, Value, print_python_str};
use crate::primitive::{self, Key256, Wrapping};
use crate::time::Timestamp;

use super::key::{Decoy, KeyManagement, OpeningKey, SealingKey, coordinates};

/// What a ciphertext is bound to: copied to another place, or sent by another partner, it does not open.
#[derive(Clone, Copy)]
pub(super) struct Binding<'a> {
    /// The pointer to the field, without a star.
    pub(super) pointer: &'a str,
    /// The sealing partner's name.
    pub(super) partner: &'a str,
}

/// What is agreed with a recipient once for a document.
pub(super) enum Agreed {
    /// RSA wraps each content key by itself.
    Nothing,
    /// The point that we made for this document, and the key that it leads to.
    Kek(Vec<u8>, Key256),
}

impl Agreed {
    pub(super) fn with(to: &SealingKey) -> Option<Self> {
        match &to.wrapping {
            Wrapping::Rsa(_) => Some(Self::Nothing),
            wrapping @ Wrapping::P256(_) => {
                let (point, shared) = wrapping.agree()?;
                Some(Self::Kek(point, primitive::concat_kdf(&shared, to.management.as_str(), b"", b"")))
            }
        }
    }
}

/// Seals `text`. `content_key` and `iv` are for this one only.
pub(super) fn seal(
    text: &mut [u8],
    to: &SealingKey,
    agreed: &Agreed,
    binding: Binding<'_>,
    expires: Option<Timestamp>,
    (content_key, iv): (&Key256, [u8; 12]),
) -> Option<String> {
    let (epk, wrapped) = match agreed {
        Agreed::Nothing => (None, to.wrapping.rsa_oaep(content_key)?),
        Agreed::Kek(point, kek) => (Some(point.as_slice()), primitive::wrap(kek, content_key)?),
    };
    let mut compact = URL_SAFE_NO_PAD.encode(header(to, binding, expires, epk)?);
    let tag = primitive::encrypt(content_key, iv, compact.as_bytes(), text)?;
    for part in [&wrapped[..], &iv, text, &tag] {
        compact.push('.');
        URL_SAFE_NO_PAD.encode_string(part, &mut compact);
    }
    Some(compact)
}

fn header(to: &SealingKey, binding: Binding<'_>, expires: Option<Timestamp>, epk: Option<&[u8]>) -> Option<Vec<u8>> {
    let mut json = format!(r#"{{"alg":"{}","enc":"A256GCM","cty":"json","kid":"#, to.algorithm());
    json.push_str(&string(to.id())?);
    json.push_str(",\"ptr\":");
    json.push_str(&string(binding.pointer)?);
    json.push_str(",\"sub\":");
    json.push_str(&string(binding.partner)?);
    if let Some(expires) = expires {
        json.push_str(&format!(",\"exp\":{}", expires.as_secs()));
    }
    if let Some(point) = epk {
        let (x, y) = coordinates(point)?;
        let [x, y] = [x, y].map(|number| URL_SAFE_NO_PAD.encode(number));
        json.push_str(&format!(r#","epk":{{"kty":"EC","crv":"P-256","x":"{x}","y":"{y}"}}"#));
    }
    json.push('}');
    Some(json.into_bytes())
}

fn string(text: &str) -> Option<String> {
    let mut out = Vec::new();
    print_python_str(text, &mut out);
    String::from_utf8(out).ok()
}

/// A sealed field as it came. What of it does not hold is not told at once: every fault costs what a wrong tag costs, or the time
/// would say which one it was.
pub(super) struct Sealed<'c> {
    /// The protected header as it stands, which the tag covers.
    aad: &'c str,
    /// `None` where the form does not hold.
    header: Option<Header>,
    wrapped: Vec<u8>,
    iv: [u8; 12],
    /// Ciphertext and tag.
    body: Zeroizing<Vec<u8>>,
}

struct Header {
    management: KeyManagement,
    kid: String,
    /// The point and `apu`, `apv` of an ECDH.
    epk: Option<(Vec<u8>, Vec<u8>, Vec<u8>)>,
    /// `cty`, `ptr` and `sub`.
    bound: [Member<String>; 3],
    /// `exp`, in whole seconds.
    expires: Member<i64>,
}

/// A member of the header that counts where it is there.
enum Member<T> {
    Absent,
    /// Of another type.
    Malformed,
    Is(T),
}

impl<T> Member<T> {
    fn of<'d, 'a>(member: Option<Value<'d, 'a>>, read: impl FnOnce(Value<'d, 'a>) -> Option<T>) -> Self {
        match member {
            None => Self::Absent,
            Some(value) => read(value).map_or(Self::Malformed, Self::Is),
        }
    }
}

impl<'c> Sealed<'c> {
    pub(super) fn read(compact: &'c str) -> Self {
        Self::well_formed(compact).unwrap_or_else(|| Self {
            aad: "",
            header: None,
            wrapped: Vec::new(),
            iv: [0; 12],
            // Sixteen bytes at least, so that there is a tag to be wrong.
            body: Zeroizing::new(vec![0; 16 + compact.len() / 2]),
        })
    }

    fn well_formed(compact: &'c str) -> Option<Self> {
        let mut parts = compact.split('.');
        let [aad, wrapped, iv, text, tag] = [(); 5].map(|()| parts.next());
        if parts.next().is_some() || aad.is_none_or(|header| header.len() > LONGEST_HEADER) {
            return None;
        }
        let header = Some(Header::read(&decoded(aad?)?)?);
        let (mut body, tag) = (decoded(text?)?, <[u8; 16]>::try_from(decoded(tag?)?).ok()?);
        body.extend_from_slice(&tag);
        let body = Zeroizing::new(body);
        Some(Self { aad: aad?, header, wrapped: decoded(wrapped?)?, iv: decoded(iv?)?.try_into().ok()?, body })
    }

    /// Whether it is bound to this place and partner and lives. `unbound` takes one that names neither place nor partner, but
    /// none that names others.
    pub(super) fn holds(&self, binding: Binding<'_>, unbound: bool, now: Timestamp) -> bool {
        let Some(header) = &self.header else { return false };
        let [cty, ptr, sub] = &header.bound;
        let wanted = [(cty, "json"), (ptr, binding.pointer), (sub, binding.partner)];
        let held = wanted.into_iter().all(|(found, wanted)| match found {
            Member::Is(found) => found == wanted,
            Member::Absent => unbound,
            Member::Malformed => false,
        });
        let lives = match header.expires {
            Member::Is(end) => now.as_secs() < end,
            Member::Absent => true,
            Member::Malformed => false,
        };
        held && lives
    }

    /// Which of the keys it is sealed for: the one that `kid` names, where that is for such content keys.
    pub(super) fn names(&self, key: &SealingKey) -> bool {
        self.header.as_ref().is_some_and(|header| header.kid == key.id() && header.management == key.management)
    }

    /// Which of two keys to spend as much work on as if it were the named one, where none is.
    pub(super) fn claims(&self, key: &SealingKey) -> bool {
        self.header.as_ref().is_some_and(|header| header.management == key.management)
    }

    /// The text inside. Where the content key can't be had, another one fails in the same time as it would.
    pub(super) fn open(mut self, key: &OpeningKey) -> Option<Zeroizing<Vec<u8>>> {
        let content_key = self.content_key(key);
        let tried = content_key.as_ref().map_or_else(|| Key256::new([0; 32]), Clone::clone);
        let length = primitive::decrypt(&tried, self.iv, self.aad.as_bytes(), &mut self.body)?.len();
        self.body.truncate(length);
        content_key.map(|_| self.body)
    }

    /// What the provider would refuse without the private key is replaced by what it takes: only what the key itself tells
    /// from good is left to tell, and that takes one time.
    fn content_key(&self, key: &OpeningKey) -> Option<Key256> {
        match key.decoy() {
            Decoy::Rsa { modulus, wrapped } => {
                // RFC 8017 §5.1.2: a ciphertext is a number below the modulus.
                let fits = self.wrapped.len() == modulus.len() && self.wrapped < *modulus;
                let unwrapped = key.unwrapping.rsa_oaep(if fits { &self.wrapped } else { wrapped });
                unwrapped.filter(|_| fits)
            }
            Decoy::P256 { point, wrapped } => {
                let agreed =
                    self.header.as_ref().and_then(|header| header.epk.as_ref()).and_then(|(point, apu, apv)| {
                        Some((key.unwrapping.agree(point)?, apu.as_slice(), apv.as_slice()))
                    });
                let fits = agreed.is_some() && self.wrapped.len() == wrapped.len();
                let (shared, apu, apv) = match agreed {
                    Some(agreed) => agreed,
                    None => (key.unwrapping.agree(point)?, &[][..], &[][..]),
                };
                let kek = primitive::concat_kdf(&shared, KeyManagement::EcdhEsA256Kw.as_str(), apu, apv);
                primitive::unwrap(&kek, if fits { &self.wrapped } else { wrapped }).filter(|_| fits)
            }
        }
    }
}

impl Header {
    fn read(json: &[u8]) -> Option<Self> {
        let document = Document::parse(json).ok()?;
        let members = document.root();
        let text = |name: &str| members.member(name).map(Value::as_str);
        if members.kind() != Kind::Object || ["zip", "crit"].iter().any(|name| members.member(name).is_some()) {
            return None;
        }
        let management = KeyManagement::parse(&text("alg")??)?;
        if text("enc")?? != "A256GCM" {
            return None;
        }
        let epk = match management {
            KeyManagement::RsaOaep256 => None,
            KeyManagement::EcdhEsA256Kw => {
                let info = |name: &str| text(name).map_or(Some(Vec::new()), |value| decoded(&value?));
                Some((point(members.member("epk")?)?, info("apu")?, info("apv")?))
            }
        };
        let bound = ["cty", "ptr", "sub"]
            .map(|name| Member::of(members.member(name), |value| value.as_str().map(Cow::into_owned)));
        let expires = Member::of(members.member("exp"), |end| end.as_integer()?.parse().ok());
        Some(Self { management, kid: text("kid")??.into_owned(), epk, bound, expires })
    }
}

/// The point of an `epk` (RFC 7518 §4.6.1.1). Whether it lies on the curve is judged where it is used.
fn point(epk: Value<'_, '_>) -> Option<Vec<u8>> {
    let text = |name: &str| epk.member(name).and_then(Value::as_str);
    if text("kty")? != "EC" || text("crv")? != "P-256" {
        return None;
    }
    let coordinate = |name: &str| decoded(&text(name)?).filter(|number| number.len() == 32);
    Some([vec![0x04], coordinate("x")?, coordinate("y")?].concat())
}

/// base64url without padding, unused bits zero: one spelling each.
fn decoded(text: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text).ok()
}

/// In base64url. A pointer and a partner's name take most of it.
const LONGEST_HEADER: usize = 8 << 10;
