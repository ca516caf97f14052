//! Private pieces: what is stored is ciphertext, and only who has the piece's key can read it.
//!
//! 1. [`encrypt`] draws a fresh [`PieceKey`], which is used once and never again, and writes ciphertext: a header
//!    and *cells* of 64 KiB, each authenticated with its place and whether it is the last.
//! 2. The ciphertext is imported and put like any file. The CID is that of the ciphertext.
//! 3. Whoever has key and ciphertext opens the header as [`Opened`], learns the [`Kind`], and reads any range of the
//!    content by the cells that hold it.
//!
//! Bytes are drawn in `docs/spec/private.md`. No node ever sees a key, and keys are wiped from memory after use.

mod cells;
mod decrypt;
pub mod encrypt;
mod key;

pub use cells::{CELL_BYTES, HEADER_BYTES, Kind, TAG_BYTES};
pub use decrypt::{CellReader, OpenError, Opened};
pub use key::{KeyError, PieceKey};

#[cfg(test)]
mod tests;
