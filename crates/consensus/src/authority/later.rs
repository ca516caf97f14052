//! Messages about heights that did not begin here yet.
//!
//! Validators reach a height within moments of each other, so that a few messages wait for a moment. Only validators of today
//! may leave some, each in a queue of its own, so that none of them takes the place of another.

use std::collections::{BTreeMap, VecDeque};

use holdfast_core::id::NodeId;
use holdfast_proofs::header::Height;
use holdfast_proofs::validators::ValidatorSet;

use crate::message::Message;

/// Messages kept of one sender: a proposal and the votes of three rounds. A proposal takes less than a kilobyte, so all
/// validators together take a megabyte.
pub(super) const MESSAGES_PER_SENDER: usize = 8;

/// Heights ahead of the running one about which messages are kept. Who is further behind gets blocks, not votes.
pub(super) const HEIGHTS_AHEAD: u64 = 2;

/// What waits.
#[derive(Debug, Default)]
pub(super) struct Later {
    by_sender: BTreeMap<NodeId, VecDeque<Message>>,
}

impl Later {
    /// Keeps a message about `height`, which is not below `now`, if it is worth it. The oldest of a sender goes first.
    pub(super) fn keep(
        &mut self,
        now: Height,
        height: Height,
        from: NodeId,
        message: Message,
        set: &ValidatorSet,
    ) {
        let near = height.0 - now.0.min(height.0) <= HEIGHTS_AHEAD;
        let small = matches!(message, Message::Proposal(_) | Message::Vote(_));
        if !near || !small || set.place(&from).is_none() {
            return;
        }
        let queue = self.by_sender.entry(from).or_default();
        if queue.contains(&message) {
            return;
        }
        if queue.len() == MESSAGES_PER_SENDER {
            queue.pop_front();
        }
        queue.push_back(message);
    }

    /// Takes what waited for this height, and forgets what is about older ones.
    pub(super) fn take(&mut self, height: Height) -> Vec<(NodeId, Message)> {
        let mut taken = Vec::new();
        for (from, queue) in &mut self.by_sender {
            for message in std::mem::take(queue) {
                match message.height() {
                    Some(found) if found == height => taken.push((*from, message)),
                    Some(found) if found > height => queue.push_back(message),
                    _ => {}
                }
            }
        }
        self.by_sender.retain(|_, queue| !queue.is_empty());
        taken
    }

    /// How many messages wait.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.by_sender.values().map(VecDeque::len).sum()
    }
}
