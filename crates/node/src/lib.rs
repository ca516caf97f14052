//! A Holdfast provider: it performs what `protocol` decides, over `net`, `store` and the enclave.
//!
//! - [`folder`]: what lies in a node's folder; making one, and joining a network.
//! - [`node`]: starting, running and stopping. Start at [`node::run`].
//! - [`provider`]: the tasks that serve put, get and ask, one per stream.
//! - [`trusted`]: the enclave process, started again when it dies.

pub mod folder;
pub mod node;
pub mod provider;
pub mod trusted;
