//! Where blocks come from: the fetch machine and its links to providers.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use holdfast_core::block::BlockId;
use holdfast_net::Net;
use holdfast_proofs::slots::{self, Bucket};
use holdfast_protocol::fetch::{Effect, Fetch, Input, ProviderIndex};
use holdfast_protocol::get::Want;
use holdfast_store::export::content::ContentReader;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::Instant;

use self::conversation::{Event, ProviderEvent, converse};
use self::spares::Spares;
use super::{Fetched, GetError};
use crate::network::Network;

mod conversation;
mod spares;

/// Events waiting for the machine. Each may hold a block, so the bound is also one of memory.
const EVENTS: usize = 4;
/// Blocks kept after use, in bytes: sparse files link the same block again and again.
const RECENT_BYTES: usize = 4 << 20;
/// Blocks kept after use: every demand looks through them.
const RECENT_BLOCKS: usize = 16;
/// Members asked beside the slots of a piece, when those have nothing: a block may also be part of another piece.
const STRANGERS_MAX: usize = 32;

/// The fetch machine of one DAG, its links, and the blocks on their way.
pub(super) struct Source<'a, P> {
    net: &'a Net,
    network: &'a Network,
    fetch: Fetch,
    /// The machine's clock: how long blocks were waited for. While whoever takes the blocks is busy, no answer is taken, and
    /// that is nobody's fault.
    waited: Duration,
    /// Committee places of the providers asked now.
    places: Vec<usize>,
    /// Members not asked yet.
    strangers: Vec<usize>,
    orders: Vec<Option<mpsc::Sender<Want>>>,
    lost: usize,
    last_failure: Option<String>,
    events: mpsc::Sender<Event>,
    inbox: mpsc::Receiver<Event>,
    tasks: JoinSet<()>,
    /// Checked and not yet taken.
    ready: BTreeMap<BlockId, Vec<u8>>,
    recent: VecDeque<(BlockId, Vec<u8>)>,
    recent_bytes: usize,
    spares: Spares,
    /// Blocks that nobody asked so far has.
    unavailable: BTreeSet<BlockId>,
    fetched: Fetched,
    progress: P,
}

impl<'a, P: FnMut(u64)> Source<'a, P> {
    /// Dials the slots of a piece.
    pub(super) fn start(net: &'a Net, network: &'a Network, root: BlockId, progress: P) -> Self {
        Self::start_without(net, network, None, root, progress)
    }

    /// Dials the slots of a piece, but for the member at a place of the committee.
    pub(super) fn start_without(
        net: &'a Net,
        network: &'a Network,
        left_out: Option<usize>,
        root: BlockId,
        progress: P,
    ) -> Self {
        let committee = &network.committee;
        let mut places = slots::order(Bucket::of(&root), committee.members());
        let mut strangers = places.split_off(committee.slots_max().min(places.len()));
        strangers.truncate(STRANGERS_MAX);
        for places in [&mut places, &mut strangers] {
            places.retain(|place| Some(*place) != left_out);
        }
        let (events, inbox) = mpsc::channel(EVENTS);
        let mut source = Self {
            net,
            network,
            fetch: Fetch::new(Duration::ZERO, 0),
            waited: Duration::ZERO,
            places: Vec::new(),
            strangers,
            orders: Vec::new(),
            lost: 0,
            last_failure: None,
            events,
            inbox,
            tasks: JoinSet::new(),
            ready: BTreeMap::new(),
            recent: VecDeque::new(),
            recent_bytes: 0,
            spares: Spares::default(),
            unavailable: BTreeSet::new(),
            fetched: Fetched::default(),
            progress,
        };
        source.add(places);
        source
    }

    /// Begins with providers that were not asked before.
    fn add(&mut self, places: Vec<usize>) {
        for place in places {
            let provider = self.fetch.add_provider(self.waited);
            self.places.push(place);
            self.orders.push(None);
            self.dial(provider);
        }
    }

    fn dial(&mut self, provider: ProviderIndex) {
        while self.tasks.try_join_next().is_some() {} // those of links that have ended
        let events = self.events.clone();
        let reach = self.network.reach(self.places[provider]);
        let (net, spares) = (self.net.clone(), self.spares.clone());
        self.tasks.spawn(async move {
            let what = match reach {
                Some((peer, addresses)) => match net.link(peer, &addresses).await {
                    Ok(link) => converse(link, provider, &events, &spares).await,
                    Err(error) => ProviderEvent::Lost(error.to_string()),
                },
                None => ProviderEvent::Lost("has no valid peer id".into()),
            };
            let _ = events.send(Event { provider, what }).await; // the source may be done
        });
    }

    /// Says which blocks will be needed next, in order. Those that came and are not needed yet count towards the window: in a
    /// deep DAG, each level may put others before them. The first is needed now, so it is demanded in any case.
    pub(super) fn demand(&mut self, wanted: impl Iterator<Item = BlockId>) {
        let window = self.fetch.window();
        let mut room = window.saturating_sub(self.ready.len() + self.fetch.demanded().len());
        let mut missing = Vec::new();
        for (place, id) in wanted.take(window).enumerate() {
            let recent = || self.recent.iter().any(|(recent, _)| *recent == id);
            if self.fetch.demanded().contains(&id) || self.ready.contains_key(&id) || recent() {
                continue;
            }
            if room == 0 && place > 0 {
                break;
            }
            room = room.saturating_sub(1);
            missing.push(id);
        }
        self.step(Input::Demand(missing));
    }

    /// Waits for a block that was demanded.
    pub(super) async fn block(&mut self, id: BlockId) -> Result<Vec<u8>, GetError> {
        loop {
            if let Some(data) = self.ready.remove(&id) {
                return Ok(data);
            }
            if let Some(at) = self.recent.iter().position(|(recent, _)| *recent == id) {
                let (_, data) = self.recent.remove(at).expect("found above");
                self.recent_bytes -= data.len();
                return Ok(data);
            }
            self.ask_strangers()?;
            let since = Instant::now();
            let left = self.fetch.next_tick().map(|due| due.saturating_sub(self.waited));
            let event = tokio::select! {
                biased; // an answer that is here is not late
                event = self.inbox.recv() => Some(event.expect("the source holds a sender")),
                () = tokio::time::sleep(left.unwrap_or(Duration::from_secs(60))) => None,
            };
            self.waited += since.elapsed();
            let input = event.map_or(Input::Tick, |event| self.translate(event));
            self.step(input);
        }
    }

    /// Reads content to the end of its range, and hands it over piece by piece.
    pub(super) async fn read(
        &mut self,
        reader: &mut ContentReader,
        mut each: impl AsyncFnMut(&[u8]) -> Result<(), GetError>,
    ) -> Result<(), GetError> {
        loop {
            self.demand(reader.wanted());
            let Some(id) = reader.wanted().next() else { return Ok(()) };
            let data = self.block(id).await?;
            each(reader.push(&data)?).await?;
            self.done_with(id, data);
        }
    }

    /// How many blocks to demand ahead.
    pub(super) fn window(&self) -> usize {
        self.fetch.window()
    }

    /// What was fetched so far.
    pub(super) fn fetched(&self) -> Fetched {
        self.fetched
    }

    /// Takes a block back after use, in case it is linked again soon.
    pub(super) fn done_with(&mut self, id: BlockId, data: Vec<u8>) {
        self.recent_bytes += data.len();
        self.recent.push_back((id, data));
        while self.recent_bytes > RECENT_BYTES || self.recent.len() > RECENT_BLOCKS {
            let (_, old) = self.recent.pop_front().expect("bytes belong to entries");
            self.recent_bytes -= old.len();
            self.spares.give(old);
        }
    }

    /// If nobody has some block: asks everyone else once, then gives up.
    fn ask_strangers(&mut self) -> Result<(), GetError> {
        let Some(id) = self.unavailable.first().copied() else { return Ok(()) };
        let strangers = std::mem::take(&mut self.strangers);
        if strangers.is_empty() {
            let asked = self.places.len();
            return Err(match &self.last_failure {
                Some(last) => GetError::Unreachable { id, lost: self.lost, asked, last: last.clone() },
                None => GetError::NotFound { id, asked },
            });
        }
        self.add(strangers);
        let missing = std::mem::take(&mut self.unavailable);
        self.step(Input::Demand(missing.into_iter().collect()));
        Ok(())
    }

    fn translate(&mut self, Event { provider, what }: Event) -> Input {
        match what {
            ProviderEvent::Up(orders) => {
                self.orders[provider] = Some(orders);
                Input::Up(provider)
            }
            ProviderEvent::Block(data) => Input::Block(provider, data),
            ProviderEvent::Missing(id) => Input::Missing(provider, id),
            ProviderEvent::Closed(why) => Input::Closed(provider, why),
            ProviderEvent::Lost(why) => Input::Lost(provider, why),
        }
    }

    fn step(&mut self, input: Input) {
        let mut effects = Vec::new();
        let mut full = Vec::new();
        self.fetch.step(self.waited, input, &mut effects);
        for effect in effects {
            match effect {
                Effect::Request(provider, want) => {
                    let orders =
                        self.orders[provider].as_ref().expect("only providers that are up are asked");
                    match orders.try_send(want) {
                        Ok(()) => {}
                        // The link has ended, and its task is about to say so.
                        Err(mpsc::error::TrySendError::Closed(_)) => {}
                        Err(mpsc::error::TrySendError::Full(_)) => full.push(provider),
                    }
                }
                Effect::Deliver(id, data) => {
                    self.fetched.blocks += 1;
                    self.fetched.bytes += data.len() as u64;
                    (self.progress)(data.len() as u64);
                    self.ready.insert(id, data);
                }
                Effect::Unavailable(id) => {
                    self.unavailable.insert(id);
                }
                Effect::Dial(provider) => self.dial(provider),
                Effect::Drop(provider, why) => {
                    let member = &self.network.committee.members()[self.places[provider]];
                    tracing::info!(node = %member.node.short(), why, "passing over a provider");
                    self.orders[provider] = None;
                    self.lost += 1;
                    self.last_failure = Some(why);
                }
            }
        }
        // Only once all else is done: what they were asked goes to others, behind what those are asked already.
        for provider in full {
            self.step(Input::Lost(provider, "takes no requests".into()));
        }
    }
}

#[cfg(test)]
mod tests;
