//! One file of the directory of trusted sites: whose key it is by its name, and which by its content.

use std::fs::{File, Metadata};
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use countersign::Material;

/// What a file's name says: `<site_id>_public.pem`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SiteName {
    /// What stands on the wire.
    pub(super) id: String,
    /// What stands before a final `_v<digits>` of the id; else the id itself.
    pub(super) partner: String,
    /// Those digits; else 1.
    pub(super) version: u32,
}

impl SiteName {
    /// `None` for a file that is none of these: another name, or hidden, as what editors and copies leave behind.
    pub(super) fn parse(file_name: &str) -> Option<Result<Self, &'static str>> {
        // Once: `x_public_public.pem` is the key of `x_public`.
        let id = file_name.strip_suffix(SUFFIX)?;
        (!id.starts_with('.')).then(|| Self::of_id(id))
    }

    fn of_id(id: &str) -> Result<Self, &'static str> {
        let word = (1..=64).contains(&id.len())
            && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-'));
        if !word {
            return Err("the site's id is not 1 to 64 letters, digits, dots, dashes and underscores");
        }
        let whole = || Self { id: id.to_owned(), partner: id.to_owned(), version: 1 };
        let Some((partner, digits)) = id.rsplit_once("_v") else { return Ok(whole()) };
        if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return Ok(whole());
        }
        if partner.is_empty() {
            return Err("before the version there is no name of a partner");
        }
        let version = digits.parse().ok().filter(|version| *version > 0);
        let version = version.ok_or("the version is not a number from 1 to 4294967295")?;
        Ok(Self { id: id.to_owned(), partner: partner.to_owned(), version })
    }
}

/// What tells that a file is another one, or holds something else, without reading it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stamp([i64; 7]);

impl Stamp {
    fn of(it: &Metadata) -> Self {
        let number = |number: u64| number.cast_signed();
        Self([
            number(it.dev()),
            number(it.ino()),
            number(it.size()),
            it.mtime(),
            it.mtime_nsec(),
            // Nobody sets this one.
            it.ctime(),
            it.ctime_nsec(),
        ])
    }
}

/// Why a file gives no key.
#[derive(Debug)]
pub(super) enum Unread {
    /// It is gone, or something that can't be the key of a site has taken its place: what it gave before has ended.
    Ended(String),
    /// It can't be read, or is being written: what it gave before may stand for a while.
    Torn(String),
}

/// The stamp of a file that may be read. Follows links, as a directory that is swapped as a whole is made of them.
pub(super) fn look(path: &Path) -> Result<Stamp, Unread> {
    // Asked before it is opened: opening a pipe would wait for whoever writes into it.
    let metadata = std::fs::metadata(path).map_err(|fault| unread(&fault))?;
    if !metadata.is_file() {
        return Err(Unread::Ended("it is not a file".to_owned()));
    }
    if metadata.len() > MAX_SIZE {
        return Err(Unread::Ended("it is larger than 64 KiB, too large for a key".to_owned()));
    }
    Ok(Stamp::of(&metadata))
}

/// The whole content under one stamp: neither the beginning of one key and the end of another, nor half of one.
pub(super) fn read(path: &Path) -> Result<(Stamp, Vec<u8>), Unread> {
    let torn = || Unread::Torn("it is being written".to_owned());
    let mut file = File::open(path).map_err(|fault| unread(&fault))?;
    let stamp = |file: &File| file.metadata().map(|it| Stamp::of(&it)).map_err(|fault| unread(&fault));
    let before = stamp(&file)?;
    let mut content = Vec::new();
    (&mut file).take(MAX_SIZE + 1).read_to_end(&mut content).map_err(|fault| unread(&fault))?;
    if content.len() as u64 > MAX_SIZE || stamp(&file)? != before {
        return Err(torn());
    }
    Ok((before, content))
}

/// The key in a file. What has no whole key in it is torn; whether a whole one is any good is judged elsewhere.
pub(super) fn material(content: &[u8]) -> Result<Material, Unread> {
    Material::from_public_pem(content).map_err(|fault| Unread::Torn(fault.to_string()))
}

fn unread(fault: &io::Error) -> Unread {
    let text = fault.to_string();
    let text = text.split(" (os error").next().unwrap_or_default().to_lowercase();
    match fault.kind() {
        // A link that leads nowhere, or removed since the directory was read.
        io::ErrorKind::NotFound => Unread::Ended(text),
        _ => Unread::Torn(format!("it can't be read: {text}")),
    }
}

const SUFFIX: &str = "_public.pem";

/// A key of 8192 bits has 1.5 KiB; chains and comments may stand around it.
const MAX_SIZE: u64 = 64 << 10;

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(name: &str) -> Option<Result<(String, String, u32), &'static str>> {
        Some(SiteName::parse(name)?.map(|it| (it.id, it.partner, it.version)))
    }

    #[test]
    fn a_name_says_id_partner_and_version() {
        for (name, id, partner, version) in [
            ("drupal_public.pem", "drupal", "drupal", 1),
            ("drupal_v2_public.pem", "drupal_v2", "drupal", 2),
            ("drupal_v02_public.pem", "drupal_v02", "drupal", 2),
            ("a_v1_v12_public.pem", "a_v1_v12", "a_v1", 12),
            ("a_v_public.pem", "a_v", "a_v", 1),
            ("a_v2x_public.pem", "a_v2x", "a_v2x", 1),
            ("av2_public.pem", "av2", "av2", 1),
            ("a.b-c_public.pem", "a.b-c", "a.b-c", 1),
            ("x_public_public.pem", "x_public", "x_public", 1),
            ("x_public_v3_public.pem", "x_public_v3", "x_public", 3),
        ] {
            assert_eq!(parsed(name), Some(Ok((id.into(), partner.into(), version))), "{name}");
        }
    }

    #[test]
    fn other_files_are_none_of_ours() {
        for name in ["drupal.pem", "drupal_private.pem", "drupal_public.pem~", "drupal_public.pem.tmp", ".a_public.pem"]
        {
            assert_eq!(parsed(name), None, "{name}");
        }
        for name in ["", "drupal_PUBLIC.PEM", "..data", "._public.pem", "README"] {
            assert_eq!(parsed(name), None, "{name}");
        }
    }

    #[test]
    fn mistake_23_an_id_is_a_word_and_no_path() {
        let long = format!("{}_public.pem", "a".repeat(65));
        for name in ["a/b_public.pem", "a%2fb_public.pem", "a b_public.pem", "é_public.pem", "_public.pem", &long] {
            assert!(matches!(parsed(name), Some(Err(_))), "{name}");
        }
        for name in ["_v2_public.pem", "a_v0_public.pem", "a_v4294967296_public.pem"] {
            assert!(matches!(parsed(name), Some(Err(_))), "{name}");
        }
    }
}
