//! What holds the house together from outside, not published: the rules of the house ([`repository`] reads the files,
//! [`graph`] the crates, [`licence`] what the crates' licences say; `tests/house.rs` states the rules), what must not compile
//! (`tests/compile_fail.rs`), pages whose commands are run ([`pages`]), third-party clients against the real binary (`clients/`,
//! run by `./test clients`), and what the fuzz targets do ([`fuzz`]; `tests/corpus.rs` runs what they kept).
#![forbid(unsafe_code)]

pub mod fuzz;
pub mod graph;
pub mod licence;
pub mod pages;
pub mod repository;
