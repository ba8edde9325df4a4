use std::fmt;

use crate::config::ConfigError;
use countersign::{Code, InvalidKey, InvalidPolicy, Rejection, SignError, Unavailable};

/// How a command ends when it did what it was asked for: with 0, or with the code of a verdict.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Exit(pub(crate) u8);

impl Exit {
    pub(crate) const FINE: Exit = Exit(0);
}

impl From<Code> for Exit {
    fn from(code: Code) -> Self {
        Exit(code.exit())
    }
}

/// Why a command could not do what it was asked for: one sentence without a full stop, and what to do next.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) exit: Exit,
    pub(crate) message: String,
    pub(crate) hints: Vec<String>,
    /// Further faults that were found with it, each with its hints.
    pub(crate) more: Vec<(String, Vec<String>)>,
}

impl Failure {
    /// Our own failure: 1.
    pub(crate) fn ours(message: impl fmt::Display) -> Self {
        Self { exit: Exit(1), message: message.to_string(), hints: Vec::new(), more: Vec::new() }
    }

    /// Usage or configuration: 2.
    pub(crate) fn usage(message: impl fmt::Display) -> Self {
        Self { exit: Exit(2), ..Self::ours(message) }
    }

    /// Adds a line that says what to do; where it is a command, the exact one.
    #[must_use]
    pub(crate) fn hint(mut self, hint: impl fmt::Display) -> Self {
        self.hints.push(hint.to_string());
        self
    }
}

impl From<Unavailable> for Failure {
    fn from(fault: Unavailable) -> Self {
        Self::ours(fault)
    }
}

impl From<Rejection> for Failure {
    fn from(rejection: Rejection) -> Self {
        Self { exit: rejection.code().into(), ..Self::usage(rejection.reason()) }
    }
}

impl From<SignError> for Failure {
    fn from(fault: SignError) -> Self {
        fault.hint().into_iter().fold(Self::usage(fault), Self::hint)
    }
}

impl From<InvalidKey> for Failure {
    fn from(fault: InvalidKey) -> Self {
        Self::usage(fault)
    }
}

impl From<InvalidPolicy> for Failure {
    fn from(fault: InvalidPolicy) -> Self {
        Self::usage(fault)
    }
}

impl From<countersign_store::registry::Error> for Failure {
    fn from(error: countersign_store::registry::Error) -> Self {
        let failure = match &error {
            countersign_store::registry::Error::Refused(refused) => Self::usage(refused),
            countersign_store::registry::Error::Failed(failed) => Self::ours(failed),
        };
        error.hint().into_iter().fold(failure, Self::hint)
    }
}

impl From<countersign_store::LockError> for Failure {
    fn from(error: countersign_store::LockError) -> Self {
        let failure = match error {
            countersign_store::LockError::Held { .. } => Self::usage(&error),
            countersign_store::LockError::File(_) => Self::ours(&error),
        };
        error.hint().into_iter().fold(failure, Self::hint)
    }
}

impl From<countersign_store::FileError> for Failure {
    fn from(error: countersign_store::FileError) -> Self {
        Self::ours(error)
    }
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        let mut issues = error.issues().iter().map(|issue| (issue.message(), issue.hints().to_vec()));
        let (message, hints) = issues.next().unwrap_or_else(|| (error.message(), Vec::new()));
        Self { hints, more: issues.collect(), ..Self::usage(message) }
    }
}

/// A file that could not be read or written: usage where the path is wrong, ours where the machine is.
pub(crate) fn io(what: &str, path: &std::path::Path, fault: &std::io::Error) -> Failure {
    use std::io::ErrorKind::{AlreadyExists, IsADirectory, NotADirectory, NotFound, PermissionDenied};
    let message = format!("{what} {}: {}", path.display(), words(fault));
    match fault.kind() {
        IsADirectory => Failure::usage(message).hint("name a file in it"),
        PermissionDenied => Failure::usage(message).hint(format!("ls -ld {} says who may", path.display())),
        NotFound | AlreadyExists | NotADirectory => Failure::usage(message),
        _ => Failure::ours(message),
    }
}

/// An address that can't be listened on: usage, since another may be had. `elsewhere` says how to name one.
pub(crate) fn unbound(address: impl fmt::Display, fault: &std::io::Error, elsewhere: &str) -> Failure {
    use std::io::ErrorKind::{AddrNotAvailable, PermissionDenied};
    let failure = Failure::usage(format!("can't listen on {address}: {}", words(fault)));
    match fault.kind() {
        PermissionDenied => failure.hint(format!("ports below 1024 need a privilege: {elsewhere}")),
        AddrNotAvailable => failure.hint(format!("this machine does not have the address, see ip addr: {elsewhere}")),
        _ => failure.hint(format!("another process has it: stop that, or {elsewhere}")),
    }
}

/// What went wrong without the number that Rust appends.
pub(crate) fn words(fault: &std::io::Error) -> String {
    let text = fault.to_string();
    let end = text.find(" (os error").unwrap_or(text.len());
    text[..end].to_lowercase()
}
