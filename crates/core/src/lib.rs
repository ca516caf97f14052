//! Holdfast's vocabulary: what every other crate names, encodes, signs and hashes with.
//!
//! Nothing here reads a clock, a file or a socket. Read the modules in this order:
//!
//! - [`id`]: identifiers and quantities as types of their own.
//! - [`codec`]: the one encoding, canonical DAG-CBOR with limits.
//! - [`frame`]: how messages and data share a stream.
//! - [`purpose`]: what a signature is for, and the bytes that are signed.
//! - [`ed25519`] and [`bls`]: the two signature schemes.
//! - [`protobuf`]: a total look at what a lenient parser will see next.
//! - [`block`]: the blocks that a piece may hold, and the links between them.
//! - [`walk`], [`car`], [`tree`]: the canonical order of a piece, its bytes, and its hash tree.
//! - [`check`]: the piece checker, which joins the three over a stream of untrusted bytes.

pub mod block;
pub mod bls;
pub mod car;
pub mod check;
pub mod codec;
pub mod ed25519;
mod fixed;
pub mod frame;
pub mod id;
pub mod planted;
pub mod protobuf;
pub mod purpose;
pub mod tree;
pub mod walk;

/// An error and its sources on one line, each said once.
pub fn explain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(inner) = source {
        let more = inner.to_string();
        if !text.ends_with(&more) {
            text = format!("{text}: {more}");
        }
        source = inner.source();
    }
    text
}

/// Whose fault a failure is, so that a caller knows whether to punish, alarm or retry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The other side broke a rule.
    Peer,
    /// Something of ours failed: disk, memory, configuration.
    Local,
    /// Nobody broke a rule; the same request may succeed later.
    NotYet,
}
