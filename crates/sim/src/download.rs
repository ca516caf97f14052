//! A get of a whole piece: performs what the fetch machine decides, block by block in canonical order.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use holdfast_core::block::{BlockId, Codec};
use holdfast_core::car;
use holdfast_core::codec::Bounded;
use holdfast_core::walk::{InMemory, Walk};
use holdfast_protocol::fetch::{Effect, Fetch, Input, ProviderIndex};
use holdfast_protocol::get::{GetReply, Want};
use holdfast_protocol::link::Start;

use crate::links::{ConnectionId, Frame, PeerIndex, Protocol, Signal};
use crate::world::Env;

/// One get under way.
pub struct Download {
    /// When it began.
    pub since: Duration,
    fetch: Fetch,
    peers: Vec<PeerIndex>,
    /// Connections, in the order of the machine's providers.
    connections: Vec<ConnectionId>,
    walk: Walk<InMemory>,
    /// Named by the walk and not yet written.
    ahead: VecDeque<BlockId>,
    ready: BTreeMap<BlockId, Vec<u8>>,
    piece: Vec<u8>,
    ended: Option<Result<Vec<u8>, String>>,
}

impl Download {
    /// Dials these peers for the DAG with this root.
    pub fn start(root: BlockId, peers: &[PeerIndex], env: &mut Env<'_>) -> Self {
        let mut download = Self {
            since: env.now(),
            fetch: Fetch::new(env.now(), peers.len()),
            peers: peers.to_vec(),
            connections: peers.iter().map(|peer| env.connect(*peer, Protocol::Link)).collect(),
            walk: Walk::new(root, InMemory::default()).expect("memory does not fail"),
            ahead: VecDeque::new(),
            ready: BTreeMap::new(),
            piece: car::header(&root),
            ended: None,
        };
        download.advance(env);
        download
    }

    /// Its connections; a peer may be dialed anew at every step.
    pub fn connections(&self) -> &[ConnectionId] {
        &self.connections
    }

    /// When [`Download::tick`] is due.
    pub fn next_tick(&self) -> Option<Duration> {
        self.fetch.next_tick()
    }

    /// The piece, or why it is not to be had, once it is over.
    pub fn take_end(&mut self) -> Option<Result<Vec<u8>, String>> {
        self.ended.take()
    }

    /// One of its connections has something to tell.
    pub fn handle(&mut self, connection: ConnectionId, signal: &Signal, env: &mut Env<'_>) {
        let Some(provider) = self.connections.iter().position(|own| *own == connection) else { return };
        let input = match signal {
            Signal::Connected => {
                env.message(connection, &Start::Get(()));
                Input::Up(provider)
            }
            Signal::Frame(Frame::Data(data)) => Input::Block(provider, data.to_vec()),
            Signal::Frame(frame) => match frame.message() {
                Some(GetReply::Missing(id)) => Input::Missing(provider, id),
                None => {
                    env.close(connection);
                    Input::Lost(provider, "sent no message".into())
                }
            },
            Signal::Lost => Input::Closed(provider, "is gone".into()),
            Signal::Incoming(_) | Signal::Taken(_) => return,
        };
        self.step(input, env);
        self.advance(env);
    }

    /// Time went by.
    pub fn tick(&mut self, env: &mut Env<'_>) {
        self.step(Input::Tick, env);
        self.advance(env);
    }

    fn step(&mut self, input: Input, env: &mut Env<'_>) {
        if self.ended.is_some() {
            return;
        }
        let mut effects = Vec::new();
        self.fetch.step(env.now(), input, &mut effects);
        for effect in effects {
            match effect {
                Effect::Request(provider, want) => env.message(self.connection(provider), &want),
                Effect::Deliver(id, data) => drop(self.ready.insert(id, data)),
                Effect::Unavailable(id) => self.end(Err(format!("nobody has {id}")), env),
                Effect::Dial(provider) => {
                    self.connections[provider] = env.connect(self.peers[provider], Protocol::Link);
                }
                Effect::Drop(provider, _) => env.close(self.connection(provider)),
            }
        }
    }

    fn connection(&self, provider: ProviderIndex) -> ConnectionId {
        self.connections[provider]
    }

    /// Writes what is here, and demands what comes next.
    fn advance(&mut self, env: &mut Env<'_>) {
        while self.ended.is_none() {
            let mut fresh = Vec::new();
            while self.ahead.len() < self.fetch.window()
                && self.ahead.back().is_none_or(|id| id.codec() == Codec::Raw)
            {
                match self.walk.next() {
                    Ok(Some(id)) => {
                        self.ahead.push_back(id);
                        fresh.push(id);
                    }
                    Ok(None) => break,
                    Err(error) => return self.end(Err(error.to_string()), env),
                }
            }
            if !fresh.is_empty() {
                self.step(Input::Demand(fresh), env);
            }
            let Some(id) = self.ahead.front().copied() else {
                let piece = std::mem::take(&mut self.piece);
                return self.end(Ok(piece), env);
            };
            let Some(data) = self.ready.remove(&id) else { return };
            self.ahead.pop_front();
            if let Err(error) = self.walk.enter(&id, &data) {
                return self.end(Err(error.to_string()), env);
            }
            self.piece.extend(car::section_prefix(&id, data.len()));
            self.piece.extend(data);
        }
    }

    fn end(&mut self, result: Result<Vec<u8>, String>, env: &mut Env<'_>) {
        for connection in &self.connections {
            // An empty want ends the conversation; nothing follows it on this link.
            env.message(*connection, &Want { blocks: Bounded::new(Vec::new()).expect("nothing is little") });
            env.close(*connection);
        }
        self.ended.get_or_insert(result);
    }
}
