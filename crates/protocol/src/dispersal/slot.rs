//! One slot of a dispersal: where its conversation stands, and when it is late.

use std::time::Duration;

use crate::pace::{check_time, sync_time, too_slow_at};
use crate::put::Refusal;

/// A connection that is not there by then is lost. Loopback takes milliseconds, the far side of the world one
/// second with handshake. A peer with several addresses has it once, for all of them.
pub const DIAL_WINDOW: Duration = Duration::from_secs(5);
/// No byte accepted for so long means that the slot is frozen.
const STALL_WINDOW: Duration = Duration::from_secs(10);
/// From `Seal` to `Receipt`: a slow disk needs that long to sync a large piece.
const SEAL_WINDOW: Duration = Duration::from_secs(60);

/// Where the conversation with a slot stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Slot {
    Resting {
        until: Duration,
    },
    Dialing {
        since: Duration,
    },
    Opening {
        since: Duration,
    },
    Streaming {
        /// When bytes were taken last.
        last: Duration,
        /// When they began to flow, and how many were taken since.
        since: Duration,
        taken: u64,
    },
    /// All bytes are sent and the conversation waits for the root.
    AwaitingRoot,
    /// The slot holds the piece; it is dialed again when the root is known.
    Held,
    Sealing {
        since: Duration,
    },
    Receipted,
    /// It signed, and its link was lost.
    Departed,
    Failed(SlotFailure),
}

/// Why a slot gave no receipt.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SlotFailure {
    /// Not reached, or lost on the way.
    #[error("{0}")]
    Lost(String),
    /// The provider said no.
    #[error("refused ({}): {}", .0.reason.name(), .0.detail)]
    Refused(Refusal),
    /// The provider broke the protocol or signed something else.
    #[error("misbehaved: {0}")]
    Misbehaved(&'static str),
    /// The dispersal ended before the slot did.
    #[error("was not waited for")]
    Unfinished,
}

impl Slot {
    /// When the slot is late with a piece of so many bytes.
    pub(super) fn deadline(&self, bytes: u64) -> Option<Duration> {
        match self {
            Self::Resting { until } => Some(*until),
            Self::Dialing { since } => Some(*since + DIAL_WINDOW),
            // It may have to check what an interrupted put left.
            Self::Opening { since } => Some(*since + STALL_WINDOW + check_time(bytes)),
            Self::Streaming { last, since, taken } => {
                Some((*last + STALL_WINDOW).min(too_slow_at(*since, *taken)))
            }
            Self::Sealing { since } => Some(*since + SEAL_WINDOW + sync_time(bytes)),
            Self::AwaitingRoot | Self::Held | Self::Receipted | Self::Departed | Self::Failed(_) => None,
        }
    }
}
