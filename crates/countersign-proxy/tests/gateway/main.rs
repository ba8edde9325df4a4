//! The gateway from the outside: real sockets, a real upstream, raw bytes where a client library would be too polite.

mod admitted;
mod answers;
mod client;
mod continuing;
mod ending;
mod floods;
mod forwarded;
mod frames;
mod http2;
mod http2_frames;
mod observe;
mod operation;
mod rate;
mod readings;
mod refused;
mod replay;
mod schemes;
mod several;
mod signer;
mod smuggling;
mod spooled;
mod stage;
mod stubborn;
mod upgrade;
mod upstream;
