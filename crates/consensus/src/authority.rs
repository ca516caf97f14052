//! Tendermint among validators that are known: the engine of authorities.
//!
//! The rules of rounds, votes and locks are malachite's; this engine gives its state machine what was checked, says whose turn
//! it is, keeps what must not be forgotten, and sends again what may have been lost.
//!
//! ```text
//! Start ─► waiting ─► propose ─► prevote ─► precommit ─► decided ─► Start …
//!           block       │           │           │
//!           interval    └───────────┴───────────┴─► next round
//! ```
//!
//! - A *fresh* block gets no vote here if its time is not between ten seconds before and two after this node's clock. A block
//!   that more than two thirds voted for before is exempt: its time was right then.
//! - Votes, proposals and locks are in the log before they leave the node, see [`crate::record`].
//! - Everything that strangers or validators can make it keep is bounded, by named constants beside the queues.
//!
//! Specification: docs/spec/consensus.md.

use std::collections::BTreeMap;
use std::sync::Arc;

use holdfast_core::id::NodeId;
use holdfast_proofs::header::{BlockTime, Height};
use holdfast_proofs::validators::Validators;

use crate::engine::{Effect, Engine, Input};
use crate::message::{Decided, Message};
use crate::record::Record;

mod answers;
mod config;
mod context;
mod incoming;
mod later;
mod own;
mod proposals;
mod restore;
mod timers;
mod turn;
mod undecided;

pub use config::Config;
pub use incoming::{BLOCK_AGE_MS_MAX, BLOCK_AHEAD_MS_MAX};
pub use turn::{Identity, Pairing, Verify};

use later::Later;
use own::Asks;
use restore::Saved;
use timers::{Timer, Timers};
use turn::Turn;
use undecided::Undecided;

/// The engine of one validator, or of a node that only follows.
pub struct Authority<V = Pairing> {
    identity: Identity,
    config: Config,
    check: V,
    state: State,
    timers: Timers,
    asks: Asks,
    later: Later,
    /// Validators that spoke of later heights.
    ahead: BTreeMap<NodeId, Height>,
    saved: Option<Saved>,
    /// Below this height the log is gone, so that nothing may be signed.
    votes_from: Height,
}

/// The running height and what is known of it.
struct Next {
    height: Height,
    parent: BlockTime,
    validators: Arc<Validators>,
}

enum State {
    /// Nothing has begun.
    Idle,
    /// The next height begins when it is time for a block.
    Waiting(Next),
    /// Votes are collected.
    Undecided(Box<Undecided>),
    /// The host commits the block of this height.
    Decided(Next),
}

impl Authority {
    /// An engine that continues where `records` end, which are those that it ever wanted to persist, in their order, or all since the
    /// last [`Record::Begin`]. With none it begins anew.
    pub fn resume(config: Config, identity: Identity, records: impl IntoIterator<Item = Record>) -> Self {
        Self::resume_with(config, identity, records, Pairing)
    }
}

impl<V: Verify> Authority<V> {
    /// The same, with signatures checked by somebody else.
    pub fn resume_with(
        config: Config,
        identity: Identity,
        records: impl IntoIterator<Item = Record>,
        check: V,
    ) -> Self {
        let saved = Saved::of(records);
        Self {
            identity,
            config,
            check,
            state: State::Idle,
            timers: Timers::default(),
            asks: Asks::default(),
            later: Later::default(),
            ahead: BTreeMap::new(),
            votes_from: saved.as_ref().map_or(Height(0), Saved::height),
            saved,
        }
    }

    /// The height that is decided about, if one began.
    pub fn height(&self) -> Option<Height> {
        self.next().map(|(height, _)| height)
    }

    /// Rounds about which the driver keeps votes.
    #[cfg(test)]
    fn undecided_rounds(&self) -> usize {
        match &self.state {
            State::Undecided(undecided) => undecided.driver.votes().rounds(),
            _ => 0,
        }
    }

    fn next(&self) -> Option<(Height, &Arc<Validators>)> {
        match &self.state {
            State::Idle => None,
            State::Waiting(next) | State::Decided(next) => Some((next.height, &next.validators)),
            State::Undecided(undecided) => Some((undecided.height, &undecided.validators)),
        }
    }

    fn start(&mut self, next: Next, out: &mut Vec<Effect>, now: BlockTime) {
        if self.height().is_some_and(|height| next.height <= height) {
            return; // it began, or is over
        }
        self.timers.clear();
        self.asks.clear();
        self.ahead.retain(|_, height| *height > next.height);
        self.timers.set(Timer::Answer, self.config.repeat_ms);
        let until = next.parent.0.saturating_add(self.config.block_ms);
        // By this clock the block before may be far ahead; nobody waits longer for that.
        let wait = until.saturating_sub(now.0).min(self.config.block_ms);
        let resumes = self.saved.as_ref().is_some_and(|saved| saved.height() == next.height);
        self.state = State::Waiting(next);
        if wait == 0 || resumes {
            self.begin(out, now);
        } else {
            self.timers.set(Timer::Begin, wait);
        }
    }

    fn begin(&mut self, out: &mut Vec<Effect>, now: BlockTime) {
        let State::Waiting(Next { height, parent, validators }) =
            std::mem::replace(&mut self.state, State::Idle)
        else {
            return;
        };
        let saved = self.saved.take_if(|saved| saved.height() <= height);
        let votes = height >= self.votes_from;
        let mut turn = self.turn(out, now);
        let mut undecided = Undecided::new(height, parent, validators, votes, &turn);
        match saved.filter(|saved| saved.height() == height && undecided.votes) {
            Some(saved) => undecided.restore(&mut turn, saved),
            None => undecided.begin(&mut turn),
        }
        self.state = State::Undecided(Box::new(undecided));
        for (from, message) in self.later.take(height) {
            self.with_undecided(out, now, |undecided, turn| undecided.message(turn, from, message));
        }
    }

    fn message(&mut self, from: NodeId, message: Message, out: &mut Vec<Effect>, now: BlockTime) {
        let Some((now_at, validators)) = self.next() else { return };
        if let Message::Decided(Decided { height }) = message {
            if height >= now_at {
                out.push(Effect::Behind { height, peer: from });
            }
            return;
        }
        let Some(height) = message.height() else { return };
        let begun = matches!(self.state, State::Undecided(_));
        if height < now_at {
            let late = height.0 + 1 == now_at.0 && self.timers.waits_for(Timer::Answer);
            if !late {
                // One that asks for nothing, so that no two nodes ever answer each other.
                let message = Message::Decided(Decided { height: Height(now_at.0 - 1) });
                out.push(Effect::Send { to: from, message });
            }
        } else if height == now_at && begun {
            self.with_undecided(out, now, |undecided, turn| undecided.message(turn, from, message));
        } else if height > now_at || matches!(self.state, State::Waiting(_)) {
            if height > now_at && validators.set().place(&from).is_some() {
                let ahead = self.ahead.entry(from).or_insert(height);
                *ahead = height.max(*ahead);
            }
            let validators = Arc::clone(self.next().expect("it was there").1);
            self.later.keep(now_at, height, from, message, validators.set());
        }
    }

    fn tick(&mut self, out: &mut Vec<Effect>, now: BlockTime) {
        self.timers.woken();
        while let Some(timer) = self.timers.take() {
            match timer {
                Timer::Begin => self.begin(out, now),
                Timer::Answer => {}
                timer => {
                    self.with_undecided(out, now, |undecided, turn| undecided.due(turn, timer));
                    if timer == Timer::Repeat {
                        let behind = |(peer, height): (&NodeId, &Height)| Effect::Behind {
                            height: Height(height.0 - 1),
                            peer: *peer,
                        };
                        out.extend(self.ahead.iter().map(behind));
                    }
                }
            }
        }
    }

    fn turn<'a>(&'a mut self, out: &'a mut Vec<Effect>, now: BlockTime) -> Turn<'a> {
        Turn {
            now,
            identity: self.identity,
            config: &self.config,
            check: &self.check,
            timers: &mut self.timers,
            asks: &mut self.asks,
            out,
        }
    }

    /// Does something with the running height, and sees whether it is decided then.
    fn with_undecided(
        &mut self,
        out: &mut Vec<Effect>,
        now: BlockTime,
        act: impl FnOnce(&mut Undecided, &mut Turn<'_>),
    ) {
        match std::mem::replace(&mut self.state, State::Idle) {
            State::Undecided(mut undecided) => {
                act(&mut undecided, &mut self.turn(out, now));
                self.state = State::Undecided(undecided);
            }
            other => self.state = other,
        }
        if let State::Undecided(undecided) = &self.state
            && undecided.decided
        {
            let (height, parent) = (undecided.height, undecided.parent);
            let validators = Arc::clone(&undecided.validators);
            self.state = State::Decided(Next { height, parent, validators });
        }
    }
}

impl<V: Verify> Engine for Authority<V> {
    fn step(&mut self, now: BlockTime, input: Input, out: &mut Vec<Effect>) {
        self.timers.observe(now);
        match input {
            Input::Start { height, parent, validators } => {
                self.start(Next { height, parent, validators }, out, now);
            }
            Input::Message { from, message } => self.message(from, message, out, now),
            Input::Tick => self.tick(out, now),
            Input::Built { ask, header } => {
                if let Some(own::Asked::Block(round)) = self.asks.answered(ask) {
                    self.with_undecided(out, now, |undecided, turn| undecided.built(turn, round, header));
                }
            }
            Input::Checked { block, valid } => {
                self.with_undecided(out, now, |undecided, turn| undecided.checked(turn, block, valid));
            }
            Input::Signed { ask, signature } => {
                if let Some(asked) = self.asks.answered(ask) {
                    self.with_undecided(out, now, |undecided, turn| {
                        undecided.signed(turn, &asked, signature);
                    });
                }
            }
        }
        self.timers.ask(out);
    }
}

#[cfg(test)]
mod tests;
