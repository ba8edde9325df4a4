#![forbid(unsafe_code)]
#![allow(dead_code)]

mod algorithm;
mod basis;
mod claim;
mod component;
mod digest;
mod json;
mod judge;
mod key;
mod message;
mod pem;
mod policy;
mod primitive;
mod rejection;
mod replay;
mod scheme;
mod sign;
mod structured;
mod target;
mod time;

pub use algorithm::{Algorithm, Scheme, UnknownName};
pub use basis::{Basis, Outcome, Token, Unverified};
pub use claim::{Authentic, Claim, Delivery, Fresh, Identity, Open, Openers, Ready};
pub use key::{
    AppHmacForm, InvalidKey, KeyRecord, KeyState, Keys, Layout, Material, NonceForm, SharedSecret, TimestampUnit,
    VerifyingKey,
};
pub use message::{Head, Origin};
pub use policy::{Demands, HttpMessageSignatures, InvalidPolicy, Permit, Pki, Policy};
pub use rejection::{Code, Refusal, Rejection, Unavailable};
pub use replay::{BoxFuture, ReplayStore, Seen, Use, UseMark};
pub use sign::{Draft, Form, KeyPair, SignError, Signed, Signer, SigningKey, Unsigned};
pub use time::Timestamp;
