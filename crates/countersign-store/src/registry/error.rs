use std::path::PathBuf;

use countersign::{InvalidKey, KeyState, Scheme, Timestamp};

use super::own_key::OwnUse;
use crate::file::FileError;
use crate::secrets::SecretsError;

/// Why the registry did not do what it was asked, by whose fault.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The operator asked for what the registry does not do.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// We failed.
    #[error(transparent)]
    Failed(#[from] Failed),
}

impl Error {
    /// What to do next, with the exact command where there is one.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Refused(refused) => refused.hint(),
            Self::Failed(failed) => failed.hint(),
        }
    }
}

/// What the operator can mend by asking differently.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// As many versions of one key verify as are ever tried.
    #[error(
        "{} versions of the {scheme} key {id:?} verify already, and no more are tried",
        countersign::Keys::MAX_VERSIONS
    )]
    ManyVersions {
        /// Its scheme.
        scheme: Scheme,
        /// Its id.
        id: String,
    },
    /// Not a name for a partner.
    #[error("{0:?} is not a partner's name")]
    PartnerName(String),
    /// Not an id for a key of this scheme.
    #[error("{id:?} is not an id for a key of {scheme}")]
    KeyId {
        /// The scheme.
        scheme: Scheme,
        /// What was given.
        id: String,
    },
    /// Nobody of this name.
    #[error("there is no partner {0:?}")]
    NoSuchPartner(String),
    /// The name is taken.
    #[error("there is a partner {0:?} already")]
    PartnerExists(String),
    /// No key of this id (and scheme).
    #[error("there is no key {id:?}{}", of(*scheme))]
    NoSuchKey {
        /// What was asked for.
        id: String,
        /// In which scheme; `None`: in any.
        scheme: Option<Scheme>,
    },
    /// No key of our own of this id.
    #[error("there is no {usage} key {id:?} of our own")]
    NoSuchOwnKey {
        /// What it would be for.
        usage: OwnUse,
        /// What was asked for.
        id: String,
    },
    /// Not the name of a token, a user, a site or a partner.
    #[error("{0:?} is no id of a token, a user, a site or a partner")]
    TokenName(String),
    /// A key of our own that nothing has succeeded yet can't be retired.
    #[error("the {usage} key {id:?} is in use, or will be")]
    OwnKeyInUse {
        /// What it is for.
        usage: OwnUse,
        /// Its id.
        id: String,
    },
    /// The id has no such version.
    #[error("the key {id:?} has no version {version}")]
    NoSuchVersion {
        /// The id.
        id: String,
        /// What was asked for.
        version: u32,
        /// The newest there is.
        newest: u32,
    },
    /// The id stands under two schemes.
    #[error("there is a key {id:?} in more than one scheme")]
    TwoSchemes {
        /// The id.
        id: String,
        /// Where it stands.
        schemes: Vec<Scheme>,
    },
    /// The id belongs to someone else.
    #[error("the id {id:?} of {scheme} belongs to the partner {partner:?}")]
    ForeignId {
        /// The scheme.
        scheme: Scheme,
        /// The id.
        id: String,
        /// Whose it is.
        partner: String,
    },
    /// The material does not make a key of this algorithm and scheme, or a weak one.
    #[error("this can't be a key: {0}")]
    Material(InvalidKey),
    /// The same public key could be written in two ways.
    #[error("the public key is not in its usual DER form")]
    UnusualForm,
    /// A secret that ends in NUL is the same HMAC key as without it.
    #[error("a shared secret does not end in a NUL byte")]
    SecretEndsInNul,
    /// The private half of this key is printed in a specification.
    #[error("this is the public test key {0}: everybody has its private half")]
    TestKey(&'static str),
    /// The material stands under another partner or scheme.
    #[error("the same key material is there already, as the {scheme} key {id:?} of the partner {partner:?}")]
    MaterialElsewhere {
        /// Whose.
        partner: String,
        /// Its scheme.
        scheme: Scheme,
        /// Its id.
        id: String,
    },
    /// The material is a version of this id already.
    #[error("the same key material is there already, as version {version} of {id:?} ({state})")]
    MaterialTwice {
        /// The id.
        id: String,
        /// The version.
        version: u32,
        /// Its state.
        state: KeyState,
    },
    /// The secret stands in another form.
    #[error("the same secret is there already in another form, as the app-hmac key {id:?} of the partner {partner:?}")]
    TwoForms {
        /// Whose.
        partner: String,
        /// Its id.
        id: String,
    },
    /// The material was revoked.
    #[error("this key material was revoked, as version {version} of {id:?}: it stays revoked")]
    MaterialRevoked {
        /// The id.
        id: String,
        /// The version.
        version: u32,
    },
    /// It would end before it begins.
    #[error("the key would end ({not_after}) before it begins ({not_before})")]
    EndsBeforeItBegins {
        /// The begin.
        not_before: Timestamp,
        /// The end.
        not_after: Timestamp,
    },
    /// It ended already.
    #[error("the validity of the key ended at {0}")]
    Ended(Timestamp),
    /// Revoking is for good.
    #[error("version {version} of {id:?} is revoked: that can't be undone")]
    RevokedForGood {
        /// The id.
        id: String,
        /// The version.
        version: u32,
    },
    /// A revocation needs a reason.
    #[error("a revocation needs a reason of 1 to 500 printable characters")]
    Reason,
    /// Not a URL of a registry that we can open.
    #[error("{0:?} is not the URL of a registry")]
    Url(String),
    /// Nobody has this address.
    #[error("there is no user {0}")]
    NoSuchUser(String),
    /// The backup would overwrite a file.
    #[error("{} exists already", .0.display())]
    BackupExists(PathBuf),
}

impl Refused {
    /// What to do next, with the exact command where there is one.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::PartnerName(_) => "a name has 1 to 64 of A-Z a-z 0-9 . _ -".to_owned(),
            Self::KeyId { scheme: Scheme::HttpMessageSignatures, .. } => {
                "a keyid has 1 to 256 printable ASCII characters, no blank at either end".to_owned()
            }
            Self::KeyId { .. } => "an id has 1 to 64 of A-Z a-z 0-9 . _ -".to_owned(),
            Self::NoSuchPartner(name) => format!("countersign partner add {name}, or countersign partner list"),
            Self::PartnerExists(name) => format!("countersign partner show {name}"),
            Self::NoSuchKey { .. } => "countersign key list".to_owned(),
            Self::TokenName(_) => "an id has 1 to 128 printable characters and no blank".to_owned(),
            Self::NoSuchOwnKey { usage: OwnUse::Token, .. } => "countersign token key list".to_owned(),
            Self::NoSuchOwnKey { usage: OwnUse::Seal, .. } => "countersign seal-key list".to_owned(),
            Self::OwnKeyInUse { usage: OwnUse::Token, .. } => "countersign token key rotate makes its successor".to_owned(),
            Self::OwnKeyInUse { usage: OwnUse::Seal, .. } => "countersign seal-key rotate makes its successor".to_owned(),
            Self::NoSuchVersion { newest, .. } => format!("the newest is --version {newest}"),
            Self::TwoSchemes { schemes, .. } => {
                let flags: Vec<_> = schemes.iter().map(|scheme| format!("--scheme {scheme}")).collect();
                format!("say which: {}", flags.join(" or "))
            }
            Self::ManyVersions { id, .. } => format!("countersign key retire {id} --version N, for one that nobody signs with"),
            Self::ForeignId { .. } => "an id belongs to one partner: choose another --id".to_owned(),
            Self::UnusualForm => {
                "openssl pkey -pubin -in F -pubout, for an EC key with -ec_conv_form uncompressed".to_owned()
            }
            Self::SecretEndsInNul => "make one: countersign key generate --algorithm hmac-sha256 --out FILE".to_owned(),
            Self::TestKey(_) => "make your own: countersign key generate --algorithm A --out FILE".to_owned(),
            Self::MaterialElsewhere { .. } => {
                "a key proves one partner in one scheme: make another, or say --shared where that is meant".to_owned()
            }
            Self::TwoForms { .. } => {
                "one secret would sign two grammars: make another, countersign key generate --algorithm hmac-sha256 --out FILE"
                    .to_owned()
            }
            Self::MaterialTwice { id, version, state } => match state {
                KeyState::Active | KeyState::Retiring => "nothing is left to do".to_owned(),
                _ => format!("countersign key activate {id} --version {version}"),
            },
            Self::MaterialRevoked { .. } | Self::RevokedForGood { .. } => {
                "make a new key, and add it: countersign key generate --algorithm A --out FILE".to_owned()
            }
            Self::EndsBeforeItBegins { .. } => "--not-before must be earlier than --not-after".to_owned(),
            Self::Ended(_) => "add a new version: countersign key add … --not-after T".to_owned(),
            Self::Reason => "--reason \"laptop stolen\"".to_owned(),
            Self::Url(_) => "sqlite:countersign-data/registry.db; PostgreSQL comes later".to_owned(),
            Self::NoSuchUser(_) => "countersign user list".to_owned(),
            Self::BackupExists(_) => "give the name of a file that is not there yet".to_owned(),
            Self::Material(_) => return None,
        })
    }
}

/// What is ours: a database or a file that does not work.
#[derive(Debug, thiserror::Error)]
pub enum Failed {
    /// The database did not do it.
    #[error("the registry failed to {doing}: {source}")]
    Database {
        /// What was tried.
        doing: &'static str,
        /// What it said.
        source: sqlx::Error,
    },
    /// The tables could not be brought to this version.
    #[error("the tables of the registry can't be brought up to date: {0}")]
    Migration(#[source] sqlx::migrate::MigrateError),
    /// A row that makes no sense.
    #[error("a row of the registry is broken: {0}")]
    Row(String),
    /// A file or directory.
    #[error(transparent)]
    File(#[from] FileError),
    /// The sealing key.
    #[error(transparent)]
    Secrets(#[from] SecretsError),
}

impl Failed {
    /// For `map_err`: what was tried.
    pub(crate) fn to(doing: &'static str) -> impl FnOnce(sqlx::Error) -> Error {
        move |source| Error::Failed(Self::Database { doing, source })
    }

    /// What to do next.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Migration(sqlx::migrate::MigrateError::VersionMissing(_)) => {
                Some("a newer countersign wrote this registry: use that version or a newer one".to_owned())
            }
            Self::Secrets(secrets) => secrets.hint(),
            _ => None,
        }
    }
}

impl From<InvalidKey> for Error {
    fn from(error: InvalidKey) -> Self {
        Self::Refused(Refused::Material(error))
    }
}

fn of(scheme: Option<Scheme>) -> String {
    scheme.map_or_else(String::new, |scheme| format!(" of {scheme}"))
}

macro_rules! ours {
    ($($type:ty),*) => {
        $(impl From<$type> for Error {
            fn from(error: $type) -> Self {
                Self::Failed(error.into())
            }
        })*
    };
}

ours!(FileError, SecretsError);
