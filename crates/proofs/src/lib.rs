//! Who may speak for a network, what they said, and how anyone checks it.
//!
//! Read the modules in this order:
//!
//! - [`profile`]: how many copies, and how many signatures make a certificate.
//! - [`genesis`]: the object whose hash names a network, and the possession proofs beside it.
//! - [`committee`]: the members of an epoch; [`slots`]: which of them keep a given piece.
//! - [`statement`]: what a provider signs; [`certificate`]: the sum of enough signatures.
//! - [`header`], [`validators`], [`vote`], [`light`]: following a ledger by its headers; [`row`] and [`list`]: what a header
//!   commits to.
//! - [`bundle`]: a certificate with all that a stranger needs to check it; [`verdict`]: the check.
//!
//! Nothing here learns the time by itself or opens a file: `now` and bytes are arguments.

pub mod bundle;
pub mod certificate;
pub mod checkpoint;
pub mod committee;
pub mod genesis;
pub mod header;
pub mod light;
pub mod list;
pub mod profile;
pub mod row;
pub mod slots;
pub mod statement;
pub mod validators;
pub mod verdict;
pub mod vote;

#[cfg(any(test, feature = "testing"))]
pub mod testing;
