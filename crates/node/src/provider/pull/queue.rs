//! Which piece is fetched next: each name once, in the order of the times at which they are due.

use std::collections::BTreeMap;
use std::time::Duration;

use holdfast_core::block::BlockId;
use tokio::time::Instant;

/// Pieces that wait for their turn or their next try, some hundred bytes each.
const WAITING_MAX: usize = 4096;
/// Pause after the first failure. Where a whole network is started again, the others are there a moment later.
const PAUSE_MIN: Duration = Duration::from_secs(2);
/// How often an index is looked through for what the queue had to forget, for a node that is full forgets it again.
const FILL_PAUSE: Duration = Duration::from_secs(60);
/// The pause doubles up to this.
pub(super) const PAUSE_MAX: Duration = Duration::from_secs(3600);

/// A piece that is lacking.
struct Lacking {
    /// When it is tried; none while it is.
    due: Option<Instant>,
    /// Pause after the next failure.
    pause: Duration,
}

/// Pieces that are lacking.
#[derive(Default)]
pub(super) struct Queue {
    lacking: BTreeMap<BlockId, Lacking>,
    overflowed: bool,
    /// When it was filled last.
    filled: Option<Instant>,
}

impl Queue {
    /// Adds a piece. One that failed before is tried again within [`PAUSE_MIN`].
    pub(super) fn want(&mut self, cid: BlockId, now: Instant) {
        if let Some(lacking) = self.lacking.get_mut(&cid) {
            lacking.due = lacking.due.map(|due| due.min(now + PAUSE_MIN));
        } else if self.lacking.len() < WAITING_MAX {
            self.lacking.insert(cid, Lacking { due: Some(now), pause: PAUSE_MIN });
        } else {
            self.overflowed = true;
        }
    }

    /// Whether nothing is left of a queue that could not take everything, and [`FILL_PAUSE`] has passed since it was filled:
    /// what failed then is tried again, and would be at once.
    pub(super) fn is_to_be_filled(&self, now: Instant) -> bool {
        self.refill_due().is_some_and(|due| due <= now)
    }

    fn refill_due(&self) -> Option<Instant> {
        let empty = self.overflowed && self.lacking.is_empty();
        self.filled.filter(|_| empty).map(|filled| filled + FILL_PAUSE)
    }

    /// It is about to be filled with everything that is lacking.
    pub(super) fn fill(&mut self, now: Instant) {
        self.overflowed = false;
        self.filled = Some(now);
    }

    /// When there is something to do next.
    pub(super) fn next_due(&self) -> Option<Instant> {
        self.lacking.values().filter_map(|lacking| lacking.due).chain(self.refill_due()).min()
    }

    /// The next piece that is due. It stays here until it is [`done`](Self::done) or has [`failed`](Self::failed).
    pub(super) fn take(&mut self, now: Instant) -> Option<BlockId> {
        let waiting = self.lacking.iter_mut().filter_map(|(cid, lacking)| Some((lacking.due?, cid, lacking)));
        let (_, cid, lacking) =
            waiting.filter(|(due, ..)| *due <= now).min_by_key(|(due, cid, _)| (*due, **cid))?;
        lacking.due = None;
        Some(*cid)
    }

    /// A piece is here, or not owed any more.
    pub(super) fn done(&mut self, cid: &BlockId) {
        self.lacking.remove(cid);
    }

    /// A piece could not be fetched. If others wait for its place, it makes room: what is lacking is looked for again.
    pub(super) fn failed(&mut self, cid: &BlockId, now: Instant) {
        if self.overflowed {
            self.lacking.remove(cid);
        } else if let Some(lacking) = self.lacking.get_mut(cid) {
            lacking.due = Some(now + lacking.pause);
            lacking.pause = PAUSE_MAX.min(lacking.pause * 2);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use holdfast_core::block::Codec;

    fn cid(number: usize) -> BlockId {
        BlockId::of(Codec::Raw, &number.to_be_bytes())
    }

    #[test]
    fn a_piece_is_queued_once_and_comes_after_those_that_wait_longer() {
        let (mut queue, start) = (Queue::default(), Instant::now());
        let later = start + Duration::from_secs(1);
        queue.want(cid(1), start);
        queue.want(cid(2), later);
        queue.want(cid(1), later);
        assert_eq!(queue.take(start), Some(cid(1)));
        assert_eq!(queue.take(start), None, "the second is not due yet");
        queue.want(cid(1), start);
        assert_eq!(queue.take(later), Some(cid(2)), "the first is under way");
        assert_eq!((queue.take(later), queue.next_due()), (None, None));
        queue.done(&cid(1));
        queue.want(cid(1), later);
        assert_eq!(queue.take(later), Some(cid(1)));
    }

    #[test]
    fn pauses_double_up_to_an_hour_and_a_new_certificate_shortens_them() {
        let (mut queue, mut now) = (Queue::default(), Instant::now());
        queue.want(cid(1), now);
        for seconds in [2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 3600, 3600] {
            assert_eq!(queue.take(now), Some(cid(1)));
            queue.failed(&cid(1), now);
            let due = now + Duration::from_secs(seconds);
            assert_eq!(queue.next_due(), Some(due));
            now = due;
        }
        assert_eq!(queue.take(now), Some(cid(1)));
        queue.failed(&cid(1), now);
        queue.want(cid(1), now);
        assert_eq!(queue.next_due(), Some(now + PAUSE_MIN));
    }

    #[test]
    fn a_full_queue_forgets_what_fails_and_is_filled_again_when_it_is_empty() {
        let (mut queue, now) = (Queue::default(), Instant::now());
        queue.fill(now);
        (0..=WAITING_MAX).for_each(|number| queue.want(cid(number), now));
        assert!(!queue.is_to_be_filled(now + FILL_PAUSE));
        let mut taken = 0;
        while let Some(cid) = queue.take(now) {
            taken += 1;
            queue.failed(&cid, now);
        }
        assert_eq!((taken, queue.next_due()), (WAITING_MAX, Some(now + FILL_PAUSE)));
        assert!(!queue.is_to_be_filled(now), "a node that is full would try without end");
        assert!(queue.is_to_be_filled(now + FILL_PAUSE));
        queue.fill(now + FILL_PAUSE);
        assert!(!queue.is_to_be_filled(now + 2 * FILL_PAUSE));
    }
}
