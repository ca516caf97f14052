//! Bugs that tests plant on purpose, to show that the simulator finds them.
//!
//! Without the feature `planted-bugs`, which only tests of the simulator switch on, none of this exists in the program:
//! [`is`] is a constant `false`.

/// A bug that a test can plant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bug {
    /// The enclave signs before the piece is on stable storage.
    SignBeforeSync,
    /// Blocks are not compared with their hashes.
    SkipBlockCheck,
    /// Names in a folder are not synced.
    DropFolderSync,
    /// A slot that signs twice counts twice.
    AcceptDuplicateSigner,
    /// What a receipt promises is not kept.
    ForgetReceipt,
    /// A validator forgets its lock when it is restarted.
    ForgetLock,
    /// A validator does not write down its votes.
    ForgetVote,
    /// Signatures of votes are not checked.
    SkipVoteCheck,
    /// A third of all weight counts as two thirds.
    CountToOneThird,
}

/// Whether this bug is planted on this thread.
#[cfg(not(feature = "planted-bugs"))]
pub const fn is(_bug: Bug) -> bool {
    false
}

#[cfg(feature = "planted-bugs")]
pub use switch::{is, plant};

#[cfg(feature = "planted-bugs")]
mod switch {
    use super::Bug;
    use std::cell::Cell;

    thread_local! {
        static PLANTED: Cell<Option<Bug>> = const { Cell::new(None) };
    }

    /// Whether this bug is planted on this thread.
    pub fn is(bug: Bug) -> bool {
        PLANTED.get() == Some(bug)
    }

    /// Plants a bug on this thread, or none.
    pub fn plant(bug: Option<Bug>) {
        PLANTED.set(bug);
    }
}
