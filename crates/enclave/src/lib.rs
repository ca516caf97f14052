//! The trusted process of a node. Keys are drawn and used here and nowhere else.
//!
//! The host reaches it over one Unix socket, and only through the typed calls of [`call`]: there is no way to
//! have bytes signed. For each call the enclave builds the object itself, checks it, journals it durably, and
//! then signs. Data never passes through it, so what it signs about data is the host's word, and
//! `holdfast verify` says so.
//!
//! - [`call`]: the calls and their answers.
//! - [`keys`]: the three keys of a node, and how they are kept.
//! - [`journal`]: what was signed; it refuses a second piece root for one CID.
//! - [`service`]: the loop of the process; [`host`]: the other end of the socket.

pub mod call;
pub mod host;
pub mod journal;
pub mod keys;
pub mod service;
