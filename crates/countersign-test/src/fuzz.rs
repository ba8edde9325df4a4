//! What the fuzz targets do with one input: `fuzz/fuzz_targets` hands these functions to libFuzzer, `tests/corpus.rs` runs
//! them over what was kept. Each panics where its property does not hold.
//!
//! Inputs are text where that can be, so that libFuzzer's changes hit something and a finding can be read: a `raw` message,
//! then sections behind lines `===`. What a stranger can't make, a signature, the target makes itself (`chain`), so that
//! whatever lies behind the check is reached as well.

mod chain;
mod raw;

mod accept_signature;
mod app_hmac;
mod content_digest;
mod head;
mod key_file;
mod labels;
mod pki_json;
mod pki_multipart;
mod replay_state;
mod request;
mod response;
mod sealed_fields;
mod token;
mod trusted_site;

pub use accept_signature::accept_signature;
pub use app_hmac::app_hmac;
pub use content_digest::content_digest;
pub use head::head;
pub use key_file::key_file;
pub use labels::labels;
pub use pki_json::pki_json;
pub use pki_multipart::pki_multipart;
pub use replay_state::replay_state;
pub use request::request;
pub use response::response;
pub use sealed_fields::sealed_fields;
pub use token::token;
pub use trusted_site::trusted_site;
