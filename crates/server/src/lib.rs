//! The HTTP API of a node for the ledger: what is decided, what waits, and an event stream.
//!
//! ```text
//! socket ─ connection (bounded, patient for a while) ─ route ─ gate ─ LedgerSource, on a thread that may block
//!                                                        └─ feed (one per event stream) ─┘
//! ```
//!
//! 1. Whoever runs a node gives [`serve`] a listener, a [`LedgerSource`] and a future that says when to stop.
//! 2. A function of `routes` reads the request, asks the source through the `gate`, and answers one JSON object of
//!    `holdfast-api`, or a problem.
//! 3. An event `stream` holds nothing but a position: it reads pages as its reader takes them.
//!
//! The API is unauthenticated and speaks plain HTTP/1.1: it belongs on loopback ([`LISTEN`]), or behind something that guards it.
//! Users: docs/api.md.

pub mod document;
mod gate;
mod limits;
mod listen;
mod patience;
mod reply;
mod routes;
pub mod rows;
pub mod source;
mod stream;

pub use limits::Limits;
pub use listen::{LISTEN, serve};
pub use source::LedgerSource;
