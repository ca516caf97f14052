//! Links: what bulk data moves on.
//!
//! A link is one TLS connection over TCP, bound to the provider's peer key (ADR 007). It carries one conversation after
//! the other, never two at once, so that no piece waits behind another one:
//!
//! 1. client → [`Start`]: which conversation comes.
//! 2. The conversation. If it comes to its regular end, the next `Start` may follow; else the link is closed.

use holdfast_core::tagged_enum;

/// Name and version of this protocol, for ALPN.
pub const PROTOCOL: &str = "holdfast/1";

tagged_enum! {
    /// Opens a conversation.
    pub enum Start {
        /// Storing a piece: [`crate::put`].
        1 => Put(()),
        /// Fetching blocks: [`crate::get`].
        2 => Get(()),
    }
}
