//! The verifying gateway: a reverse proxy in front of an API that knows nothing of signatures.
//!
//! [`Gateway::bind`] judges [`GatewaySettings`] and opens the sockets, [`Gateway::run`] serves until it is told to stop. What
//! it needs of the world that is not HTTP, it is handed as [`Handles`]: keys, replay memory, clock, log.
//!
//! A request meets the modules in this order. `listen` and `worker` accept its connection, one runtime per core; `entrance`
//! shakes hands where it is TLS, and `channel` keeps what that proved of the caller. Its bytes
//! are read by `framing`, which takes nothing that two servers could frame differently, as `connection` asks for them.
//! `answer` turns it into a `Head` (`arrival`), finds its route (`table`) and walks it through the `chain`: read, check,
//! body (`inbound`, into a `spool`: memory or a file), finish, first use, unpack. What comes out is put on `record`, and only what is on
//! record is made into an `outgoing` request and forwarded by `upstream`. On every other way it ends in a `refusal`.
#![forbid(unsafe_code)]

// What it is told, and what it is handed.
mod clock;
mod deciding;
mod handles;
mod settings;
mod sockets;

// From the sockets to one request.
mod alarm;
mod caller;
mod channel;
mod connection;
mod content;
mod control;
mod entrance;
mod forwarded;
mod framing;
mod front;
mod gateway;
mod listen;
mod proxy_protocol;
mod steering;
mod worker;

// From one request to its verdict.
mod answer;
mod arrival;
mod awaited;
mod bearer;
mod chain;
mod course;
mod exchange;
mod gate;
mod grant;
mod inbound;
mod observe;
mod pace;
mod passing;
mod rate;
mod spool;
mod table;
mod tokens;
mod trace;
mod turn;
mod well_known;

// From the verdict to the upstream.
mod headers;
mod log;
mod outgoing;
mod record;
mod sent;
mod tls;
mod upgrade;
mod upstream;

// The other end: signing for a sender beside it, and sending what was signed.
mod client;
mod client_certificate;
mod sidecar;

// What the caller is told, and the operator.
mod admin;
mod fault;
mod metrics;
mod refusal;
mod reply;

#[cfg(test)]
#[path = "../../../fuzz/replay.rs"]
mod replay;

/// What the fuzz targets of this crate do with an input; for `fuzz/`, and no part of the crate's face.
#[cfg(any(test, feature = "fuzz"))]
#[doc(hidden)]
pub mod fuzz {
    /// Follows a client's bytes. Panics where the reads decide, or where hyper sees another message.
    pub fn framing(input: &[u8]) {
        crate::framing::fuzz::framing(input);
    }

    /// Hears an upstream's bytes. Panics where the reads decide, or where hyper hears another answer.
    pub fn answer(input: &[u8]) {
        crate::upstream::fuzz::answer(input);
    }
}

pub use countersign::Quota;

pub use client::{Answer, Client, ClientError};
pub use client_certificate::{ClientCertificate, InvalidCertificate};
pub use clock::Clock;
pub use control::Control;
pub use gateway::{Gateway, GatewayError};
pub use handles::{Handles, KeySource, Measure, OpenerSource, ReadyCheck, TokenKeySource, Used, User, UserStore};
pub use settings::{
    AdminSettings, ClientAuthSettings, Disclosure, ExchangeSettings, GatewaySettings, HealthCheck, InvalidSettings,
    Limits, Protocol, RouteSettings, TlsSettings,
};
pub use sidecar::{
    Address, Allow, Recipient, Sidecar, SidecarError, SidecarHandles, SidecarSeal, SidecarSettings, SocketFile,
};
pub use sockets::Sockets;
pub use tls::TlsFinding;
