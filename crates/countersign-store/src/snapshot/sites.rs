//! The directory of trusted sites: `<site_id>_public.pem` is an operator-asserted key of the scheme `trusted-site`.
//!
//! Whoever can write there can speak for a partner, as whoever can call `key add` can. The directory is looked at as often
//! as the registry is. Files come by a rename or are written in place, so a file is taken only when it was read as a whole,
//! and one that is torn or can't be read leaves the key that it gave before, for as long as a registry that does not answer
//! would.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use countersign::{Algorithm, Material, Scheme, Timestamp};

use super::site_file::{self, SiteName, Stamp, Unread};
use crate::registry::{KeyAdd, checked};

/// The directory, as it was found at the last look.
#[derive(Debug)]
pub(super) struct Sites {
    dir: PathBuf,
    max_stale: Duration,
    files: BTreeMap<OsString, SiteFile>,
    /// What is wrong with the directory itself.
    trouble: Option<String>,
}

/// A key of a site.
#[derive(Debug)]
pub(super) struct Site<'a> {
    pub(super) file: PathBuf,
    pub(super) name: &'a SiteName,
    pub(super) material: &'a Material,
}

#[derive(Debug)]
struct SiteFile {
    name: Result<SiteName, &'static str>,
    /// When this file was last found as it should be.
    fine: Timestamp,
    stamp: Option<Stamp>,
    /// How often it is still read although its stamp has not changed.
    looks: u8,
    content: Vec<u8>,
    material: Option<Material>,
    trouble: Option<String>,
}

impl Sites {
    pub(super) fn new(dir: PathBuf, max_stale: Duration) -> Self {
        Self { dir, max_stale, files: BTreeMap::new(), trouble: None }
    }

    /// Looks at every file, and says whether something is other than at the last look.
    pub(super) fn look(&mut self, now: Timestamp) -> bool {
        let (listed, trouble) = match list(&self.dir) {
            Ok((names, false)) => (Some(names), None),
            Ok((names, true)) => {
                (Some(names), Some(format!("more than {MAX_FILES} keys lie here: the last by name are left out")))
            }
            // Removed with all that lay in it.
            Err(fault) if fault.kind() == io::ErrorKind::NotFound => {
                (Some(Vec::new()), Some("there is no such directory".to_owned()))
            }
            Err(fault) => (None, Some(format!("it can't be read: {fault}"))),
        };
        let mut changed = std::mem::replace(&mut self.trouble, trouble) != self.trouble;
        let Some(listed) = listed else {
            for file in self.files.values_mut() {
                changed |= file.outlive(self.max_stale, now);
            }
            return changed;
        };
        let mut before = std::mem::take(&mut self.files);
        for name in listed {
            let Some(parsed) = parse(&name) else { continue };
            let mut file = before.remove(&name).unwrap_or_else(|| {
                changed = true;
                SiteFile::new(parsed, now)
            });
            changed |= file.look(&self.dir.join(&name), self.max_stale, now);
            self.files.insert(name, file);
        }
        changed | !before.is_empty()
    }

    /// The keys that lie there.
    pub(super) fn keys(&self) -> impl Iterator<Item = Site<'_>> {
        self.files.iter().filter_map(|(file, it)| {
            let (Ok(name), Some(material)) = (&it.name, &it.material) else { return None };
            Some(Site { file: self.dir.join(file), name, material })
        })
    }

    /// What is wrong, in words for the operator.
    pub(super) fn troubles(&self) -> impl Iterator<Item = String> {
        let own = self.trouble.iter().map(|what| format!("{}: {what}", self.dir.display()));
        own.chain(self.files.iter().filter_map(|(file, it)| {
            let what = it.name.as_ref().err().copied().or(it.trouble.as_deref())?;
            Some(format!("{}: {what}", self.dir.join(file).display()))
        }))
    }
}

impl SiteFile {
    fn new(name: Result<SiteName, &'static str>, now: Timestamp) -> Self {
        Self { name, fine: now, stamp: None, looks: 0, content: Vec::new(), material: None, trouble: None }
    }

    fn look(&mut self, path: &Path, max_stale: Duration, now: Timestamp) -> bool {
        let Ok(name) = self.name.clone() else { return false };
        let trouble = self.trouble.clone();
        let taken = match self.take(path, &name, now) {
            Ok(taken) => {
                if self.trouble.is_none() {
                    self.fine = now;
                }
                taken
            }
            Err(Unread::Ended(what)) => {
                self.trouble = Some(what);
                self.forget()
            }
            Err(Unread::Torn(what)) => {
                self.trouble = Some(what);
                self.stamp = None;
                false
            }
        };
        let outlived = self.trouble.is_some() && self.outlive(max_stale, now);
        taken || outlived || trouble != self.trouble
    }

    /// Takes in what the file holds, where that is other than before.
    fn take(&mut self, path: &Path, name: &SiteName, now: Timestamp) -> Result<bool, Unread> {
        let stamp = site_file::look(path)?;
        if self.stamp != Some(stamp) {
            self.looks = LOOKS;
        } else if self.looks == 0 {
            return Ok(false);
        }
        self.looks = self.looks.saturating_sub(1);
        let (stamp, content) = site_file::read(path)?;
        if self.stamp.is_some() && content == self.content {
            self.stamp = Some(stamp);
            return Ok(false);
        }
        let material = site_file::material(&content)?;
        self.stamp = Some(stamp);
        self.content = content;
        // A whole key has taken the place of the one before, whatever it is worth.
        (self.material, self.trouble) = match checked(name.asserts(material), now) {
            Ok(add) => (Some(add.material), None),
            Err(refused) => (None, Some(refused.to_string())),
        };
        Ok(true)
    }

    /// Ends a key whose file has not been as it should for too long.
    fn outlive(&mut self, max_stale: Duration, now: Timestamp) -> bool {
        self.material.is_some() && now > self.fine.after(max_stale) && self.forget()
    }

    fn forget(&mut self) -> bool {
        self.stamp = None;
        self.content.clear();
        self.material.take().is_some()
    }
}

impl SiteName {
    /// What `key add` would be told, to be judged alike.
    fn asserts(&self, material: Material) -> KeyAdd {
        KeyAdd {
            partner: self.partner.clone(),
            id: self.id.clone(),
            scheme: Scheme::TrustedSite,
            algorithm: Algorithm::RsaV15Sha256,
            material,
            not_before: None,
            not_after: None,
            pending: false,
            form: None,
            shared: false,
            allow_test_keys: false,
        }
    }
}

/// The partners for whom files are named.
pub(super) fn partners(dir: &Path) -> io::Result<impl Iterator<Item = String>> {
    let (names, _) = list(dir)?;
    Ok(names.into_iter().filter_map(|name| Some(parse(&name)?.ok()?.partner)))
}

/// `None` for a file that is none of ours.
fn parse(name: &OsStr) -> Option<Result<SiteName, &'static str>> {
    match name.to_str() {
        Some(text) => SiteName::parse(text),
        None => SiteName::parse(&name.to_string_lossy()).map(|_| Err("the name is not text")),
    }
}

/// Names of key files in order, no more than are taken, and whether there are more.
fn list(dir: &Path) -> io::Result<(Vec<OsString>, bool)> {
    let mut names = Vec::new();
    for (count, entry) in std::fs::read_dir(dir)?.enumerate() {
        let name = entry?.file_name();
        if count == MAX_ENTRIES {
            return Err(io::Error::other("it holds more than 100000 files"));
        }
        if parse(&name).is_some() {
            names.push(name);
        }
    }
    names.sort();
    let more = names.len() > MAX_FILES;
    names.truncate(MAX_FILES);
    Ok((names, more))
}

/// So many keys are taken from a directory.
const MAX_FILES: usize = 10_000;

/// So many names are read of one.
const MAX_ENTRIES: usize = 100_000;

/// A file that was changed is read at so many looks, some two seconds: two changes within one tick of the file system's
/// clock have one stamp.
const LOOKS: u8 = 11;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_changes_within_one_tick_of_the_file_systems_clock() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a_public.pem");
        let write = || {
            let pair = countersign::SigningKey::generate(Algorithm::RsaV15Sha256, 2048).unwrap();
            std::fs::write(&path, &pair.public).unwrap();
            Material::from_public_pem(pair.public.as_bytes()).unwrap().fingerprint()
        };
        let now = Timestamp::from_secs(1_800_000_000);
        let mut sites = Sites::new(dir.path().to_owned(), Duration::ZERO);
        let first = write();
        assert!(sites.look(now));
        // The second one has the stamp of the first: nobody can make that happen at will, so it is said to be so.
        let second = write();
        let file = sites.files.get_mut(OsStr::new("a_public.pem")).unwrap();
        file.stamp = Some(site_file::look(&path).unwrap());
        let is = |sites: &Sites, key| sites.keys().all(|site| site.material.fingerprint() == key);
        assert!(is(&sites, first));
        assert!(sites.look(now));
        assert!(is(&sites, second) && sites.keys().count() == 1);
        // Not for ever: a directory at rest is not read.
        assert!((0..LOOKS).all(|_| !sites.look(now)));
        assert_eq!(sites.files[OsStr::new("a_public.pem")].looks, 0);
    }
}
