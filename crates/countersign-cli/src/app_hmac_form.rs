//! The flags that say how an `app-hmac` key's messages are laid out, wherever a command is told of one.

use clap::ValueEnum;
use countersign::{AppHmacForm, Layout, NonceForm, Scheme, TimestampUnit};

use crate::exit::Failure;

/// `--timestamp-unit`, `--nonce-form`, `--layout`
#[derive(clap::Args, Clone, Copy, Debug)]
pub(crate) struct FormFlags {
    /// Of app-hmac: the unit of Timestamp [default: seconds]
    #[arg(long, value_name = "UNIT")]
    timestamp_unit: Option<Unit>,
    /// Of app-hmac: the form of Nonce [default: hex8]
    #[arg(long, value_name = "FORM")]
    nonce_form: Option<Nonce>,
    /// Of app-hmac: the order of the signed parts [default: method-first]
    #[arg(long, value_name = "LAYOUT")]
    layout: Option<Order>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Unit {
    Seconds,
    Milliseconds,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Nonce {
    Hex8,
    Hex32,
    Uuid,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Order {
    MethodFirst,
    PayloadFirst,
}

impl FormFlags {
    /// These flags, over what a configuration says of unit, nonce form and layout.
    pub(crate) fn over(self, [unit, nonce, layout]: [Option<&str>; 3]) -> Self {
        Self {
            timestamp_unit: self.timestamp_unit.or_else(|| Unit::from_str(unit?, false).ok()),
            nonce_form: self.nonce_form.or_else(|| Nonce::from_str(nonce?, false).ok()),
            layout: self.layout.or_else(|| Order::from_str(layout?, false).ok()),
        }
    }

    /// Each flag, and whether it was given.
    pub(crate) fn given(&self) -> [(&'static str, bool); 3] {
        [
            ("--timestamp-unit", self.timestamp_unit.is_some()),
            ("--nonce-form", self.nonce_form.is_some()),
            ("--layout", self.layout.is_some()),
        ]
    }

    /// The form of a key of this scheme; `None` for schemes whose keys have none.
    pub(crate) fn form(&self, scheme: Scheme) -> Result<Option<AppHmacForm>, Failure> {
        if scheme == Scheme::AppHmac {
            return Ok(Some(self.or_the_first_of_each()));
        }
        match self.given().iter().find(|(_, given)| *given) {
            None => Ok(None),
            Some((flag, _)) => Err(Failure::usage(format!("{flag} is for --scheme app-hmac only"))
                .hint(format!("leave {flag} out, or say --scheme app-hmac"))),
        }
    }

    fn or_the_first_of_each(&self) -> AppHmacForm {
        AppHmacForm {
            layout: match self.layout {
                None | Some(Order::MethodFirst) => Layout::MethodFirst,
                Some(Order::PayloadFirst) => Layout::PayloadFirst,
            },
            unit: match self.timestamp_unit {
                None | Some(Unit::Seconds) => TimestampUnit::Seconds,
                Some(Unit::Milliseconds) => TimestampUnit::Milliseconds,
            },
            nonce: match self.nonce_form {
                None | Some(Nonce::Hex8) => NonceForm::Hex8,
                Some(Nonce::Hex32) => NonceForm::Hex32,
                Some(Nonce::Uuid) => NonceForm::Uuid,
            },
        }
    }
}
