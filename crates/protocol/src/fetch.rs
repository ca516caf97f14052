//! The client's side of fetching: which provider is asked for which block, and when.
//!
//! The caller demands blocks in the order in which it will need them; the machine keeps a window of requests
//! open, spread over the providers that answer fastest, checks every block by SHA-256, and asks others when
//! one lacks, lies, stalls or dies. It ends for a block only when every provider was tried.
//!
//! Its clock is the caller's, and runs only while the caller waits for a block: whoever takes nothing for a while may find
//! that providers have closed their links, not that all have stalled. Such providers are dialed again.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use holdfast_core::block::BlockId;
use holdfast_core::codec::Bounded;

use crate::get::{WANT_MAX, Want};

/// Bytes on the way at once, over all providers: keeps links busy without filling memory.
const WINDOW_BYTES: u64 = 8 << 20;
/// Blocks on the way at once, at least: enough for two providers of the largest blocks.
const WINDOW_BLOCKS_MIN: u64 = 4;
/// Blocks on the way at once, at most. Small blocks are bound by round trips; but after small ones any block may
/// be of the largest size, so this is also a bound of memory: 128 MiB in the worst case.
const WINDOW_BLOCKS_MAX: u64 = 64;
const _: () = assert!(WINDOW_BLOCKS_MAX <= WANT_MAX as u64, "a window is asked for in one message");
/// No block for so long, on the caller's clock, means that a provider is frozen. The window may be 8 MiB, and blocks come one
/// by one.
const STALL_WINDOW: Duration = Duration::from_secs(30);

/// Number of a provider within one fetch.
pub type ProviderIndex = usize;

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// The caller will need these blocks, in this order. Those demanded before are left as they are.
    Demand(Vec<BlockId>),
    /// A link to the provider is open.
    Up(ProviderIndex),
    /// The provider sent a block.
    Block(ProviderIndex, Vec<u8>),
    /// The provider lacks the block.
    Missing(ProviderIndex, BlockId),
    /// The link that was open has ended, and nothing more comes from it.
    Closed(ProviderIndex, String),
    /// The link could not be opened, or its provider breaks the rules.
    Lost(ProviderIndex, String),
    /// Time went by.
    Tick,
}

/// What to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Ask a provider.
    Request(ProviderIndex, Want),
    /// Give a checked block to the caller.
    Deliver(BlockId, Vec<u8>),
    /// No provider has the block.
    Unavailable(BlockId),
    /// Dial a provider whose link has ended.
    Dial(ProviderIndex),
    /// Close the link to a provider for good, for this reason.
    Drop(ProviderIndex, String),
}

#[derive(Debug)]
struct Provider {
    state: State,
    /// Asked and not yet answered, in order.
    asked: VecDeque<BlockId>,
    last_answer: Duration,
    lied: bool,
    /// Whether a right block came on this link.
    served: bool,
}

#[derive(Debug, PartialEq, Eq)]
enum State {
    Dialing,
    Up,
    /// Its link has ended; it is dialed when there is something to ask.
    Closed,
    Gone,
}

/// One fetch over a list of providers.
#[derive(Debug)]
pub struct Fetch {
    providers: Vec<Provider>,
    /// Demanded and not yet asked for, in order of need.
    waiting: VecDeque<BlockId>,
    /// Providers that lack a block or failed on it.
    tried: BTreeMap<BlockId, BTreeSet<ProviderIndex>>,
    demanded: BTreeSet<BlockId>,
    /// Running mean of block sizes, in bytes.
    block_bytes: u64,
}

impl Fetch {
    /// A fetch from `providers` providers, all of which the caller has begun to dial. More may be added.
    pub fn new(now: Duration, providers: usize) -> Self {
        let mut fetch = Self {
            providers: Vec::new(),
            waiting: VecDeque::new(),
            tried: BTreeMap::new(),
            demanded: BTreeSet::new(),
            block_bytes: 1 << 20,
        };
        for _ in 0..providers {
            fetch.add_provider(now);
        }
        fetch
    }

    /// Adds a provider that the caller has begun to dial.
    pub fn add_provider(&mut self, now: Duration) -> ProviderIndex {
        self.providers.push(Provider {
            state: State::Dialing,
            asked: VecDeque::new(),
            last_answer: now,
            lied: false,
            served: false,
        });
        self.providers.len() - 1
    }

    /// How many blocks the caller should demand ahead of its need, those that it holds and does not need yet included.
    pub fn window(&self) -> usize {
        let blocks = (WINDOW_BYTES / self.block_bytes.max(1)).clamp(WINDOW_BLOCKS_MIN, WINDOW_BLOCKS_MAX);
        usize::try_from(blocks).expect("clamped")
    }

    /// Blocks that were demanded and neither came nor were given up.
    pub fn demanded(&self) -> &BTreeSet<BlockId> {
        &self.demanded
    }

    /// Whether a provider sent a block that was not the one asked for.
    pub fn lied(&self, provider: ProviderIndex) -> bool {
        self.providers[provider].lied
    }

    /// When [`Input::Tick`] is due next, at the latest.
    pub fn next_tick(&self) -> Option<Duration> {
        let busy = |provider: &&Provider| provider.state == State::Up && !provider.asked.is_empty();
        self.providers.iter().filter(busy).map(|provider| provider.last_answer + STALL_WINDOW).min()
    }

    /// Takes one input and appends what to do.
    pub fn step(&mut self, now: Duration, input: Input, out: &mut Vec<Effect>) {
        match input {
            Input::Demand(ids) => {
                for id in ids {
                    if self.demanded.insert(id) {
                        self.waiting.push_back(id);
                    }
                }
            }
            Input::Up(index) => {
                let provider = &mut self.providers[index];
                if provider.state == State::Dialing {
                    provider.state = State::Up;
                    provider.served = false;
                    provider.last_answer = now;
                }
            }
            Input::Block(index, data) => self.block(now, index, data, out),
            Input::Missing(index, id) => match self.answered(now, index) {
                Some(asked) if asked == id => self.retry(index, id),
                other => self.broke_order(index, other, out),
            },
            Input::Closed(index, why) => self.close(index, why, out),
            Input::Lost(index, why) => self.lose(index, why, out),
            Input::Tick => {
                for index in 0..self.providers.len() {
                    let provider = &self.providers[index];
                    let late = !provider.asked.is_empty() && now >= provider.last_answer + STALL_WINDOW;
                    if provider.state == State::Up && late {
                        self.lose(index, "stopped answering".into(), out);
                    }
                }
            }
        }
        self.assign(now, out);
    }

    /// The block that this provider's next answer is for.
    fn answered(&mut self, now: Duration, index: ProviderIndex) -> Option<BlockId> {
        let provider = &mut self.providers[index];
        provider.last_answer = now;
        provider.asked.pop_front()
    }

    fn block(&mut self, now: Duration, index: ProviderIndex, data: Vec<u8>, out: &mut Vec<Effect>) {
        match self.answered(now, index) {
            Some(id) if id.matches(&data) => {
                self.providers[index].served = true;
                self.block_bytes = (self.block_bytes * 7 + data.len() as u64) / 8;
                self.tried.remove(&id);
                self.demanded.remove(&id);
                out.push(Effect::Deliver(id, data));
            }
            Some(id) => {
                self.providers[index].lied = true;
                self.retry(index, id);
                self.lose(index, format!("sent wrong bytes for {id}"), out);
            }
            None => self.broke_order(index, None, out),
        }
    }

    fn broke_order(&mut self, index: ProviderIndex, asked: Option<BlockId>, out: &mut Vec<Effect>) {
        if let Some(id) = asked {
            self.retry(index, id);
        }
        self.lose(index, "answered out of order".into(), out);
    }

    /// Puts a block back, never to be asked of this provider again.
    fn retry(&mut self, index: ProviderIndex, id: BlockId) {
        self.tried.entry(id).or_default().insert(index);
        self.waiting.push_front(id);
    }

    fn lose(&mut self, index: ProviderIndex, why: String, out: &mut Vec<Effect>) {
        if self.providers[index].state == State::Gone {
            return;
        }
        self.providers[index].state = State::Gone;
        self.take_back(index);
        out.push(Effect::Drop(index, why));
    }

    /// A link that ends while nothing is asked, or after a right block, says little about its provider.
    fn close(&mut self, index: ProviderIndex, why: String, out: &mut Vec<Effect>) {
        let provider = &mut self.providers[index];
        if provider.state == State::Up && (provider.served || provider.asked.is_empty()) {
            provider.state = State::Closed;
            self.take_back(index);
        } else {
            self.lose(index, why, out);
        }
    }

    /// Puts back what a provider was asked and has not answered.
    fn take_back(&mut self, index: ProviderIndex) {
        for id in std::mem::take(&mut self.providers[index].asked).into_iter().rev() {
            self.waiting.push_front(id);
        }
    }

    /// Fills the window from the front of the queue.
    fn assign(&mut self, now: Duration, out: &mut Vec<Effect>) {
        let mut room = self.window().saturating_sub(self.providers.iter().map(|p| p.asked.len()).sum());
        let mut requests: BTreeMap<ProviderIndex, Vec<BlockId>> = BTreeMap::new();
        let mut parked = VecDeque::new();
        while room > 0 {
            let Some(id) = self.waiting.pop_front() else { break };
            self.dial_for(&id, out);
            match self.choose(&id) {
                Choice::Ask(index) => {
                    let provider = &mut self.providers[index];
                    if provider.asked.is_empty() {
                        provider.last_answer = now;
                    }
                    provider.asked.push_back(id);
                    requests.entry(index).or_default().push(id);
                    room -= 1;
                }
                Choice::Later => parked.push_back(id),
                Choice::Nobody => {
                    self.demanded.remove(&id);
                    self.tried.remove(&id);
                    out.push(Effect::Unavailable(id));
                }
            }
        }
        parked.append(&mut self.waiting);
        self.waiting = parked;
        for (index, blocks) in requests {
            let blocks = Bounded::new(blocks).expect("the window is no larger than a want");
            out.push(Effect::Request(index, Want { blocks }));
        }
    }

    /// Dials those whose link has ended and who may have this block. There is one dial per block asked for at most, so nobody
    /// keeps us dialing by closing links.
    fn dial_for(&mut self, id: &BlockId, out: &mut Vec<Effect>) {
        let tried = self.tried.get(id);
        for (index, provider) in self.providers.iter_mut().enumerate() {
            if provider.state == State::Closed && tried.is_none_or(|tried| !tried.contains(&index)) {
                provider.state = State::Dialing;
                out.push(Effect::Dial(index));
            }
        }
    }

    /// The provider with the shortest queue among those not yet tried for this block.
    fn choose(&self, id: &BlockId) -> Choice {
        let tried = self.tried.get(id);
        let open = |index: &ProviderIndex| tried.is_none_or(|tried| !tried.contains(index));
        let (mut best, mut dialing) = (None, false);
        for index in (0..self.providers.len()).filter(open) {
            match self.providers[index].state {
                State::Gone | State::Closed => {}
                State::Dialing => dialing = true,
                State::Up => {
                    let queue = self.providers[index].asked.len();
                    if best.is_none_or(|(shortest, _)| queue < shortest) {
                        best = Some((queue, index));
                    }
                }
            }
        }
        match best {
            Some((_, index)) => Choice::Ask(index),
            None if dialing => Choice::Later,
            None => Choice::Nobody,
        }
    }
}

enum Choice {
    Ask(ProviderIndex),
    Later,
    Nobody,
}

#[cfg(test)]
mod tests;
