//! Fetching blocks: the client names blocks, the provider answers each in the order asked.
//!
//! 1. client → `Want`: up to [`WANT_MAX`] CIDs. More may follow before the first is answered. An empty one ends the
//!    conversation.
//! 2. provider → for each, one data frame with the block's bytes, or `Missing`.
//!
//! The client checks every block against its CID; a wrong block ends the conversation.

use holdfast_core::block::BlockId;
use holdfast_core::codec::Bounded;
use holdfast_core::tagged_enum;
use serde_tuple::{Deserialize_tuple, Serialize_tuple};

/// CIDs in one `Want`: 256 of 41 bytes fit a message.
pub const WANT_MAX: usize = 256;

/// A request for blocks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub struct Want {
    /// The blocks, in the order in which they shall be answered.
    pub blocks: Bounded<BlockId, WANT_MAX>,
}

tagged_enum! {
    /// The provider's answer where it has no block to send.
    pub enum GetReply {
        /// The next block asked for is not here.
        1 => Missing(BlockId),
    }
}
