//! A fetch answers every demand once, with the right bytes or with the news that nobody has them.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use holdfast_core::block::{BlockId, Codec};
use holdfast_fuzz::script::Script;
use holdfast_protocol::fetch::{Effect, Fetch, Input, ProviderIndex};
use holdfast_protocol::get::WANT_MAX;

/// Blocks that there are.
const BLOCKS: u8 = 100;
/// Most providers.
const PROVIDERS_MAX: usize = 6;
/// Blocks on the way at once: a bound of memory.
const WINDOW_MAX: usize = 64;

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Dialing,
    Up,
    Closed,
    Gone,
}

struct Provider {
    state: State,
    asked: Vec<BlockId>,
}

impl Provider {
    fn new() -> Self {
        Self { state: State::Dialing, asked: Vec::new() }
    }
}

/// A fetch with what its caller knows.
struct Run {
    fetch: Fetch,
    now: Duration,
    demanded: BTreeSet<BlockId>,
    providers: Vec<Provider>,
    /// Who was asked for a block since it was demanded.
    tried: BTreeMap<BlockId, BTreeSet<ProviderIndex>>,
}

pub(crate) fn judge(mut script: Script<'_>) {
    let count = usize::from(script.below(4)) + 1;
    let mut run = Run {
        fetch: Fetch::new(Duration::ZERO, count),
        now: Duration::ZERO,
        demanded: BTreeSet::new(),
        providers: (0..count).map(|_| Provider::new()).collect(),
        tried: BTreeMap::new(),
    };
    while !script.is_over() {
        run.act(&mut script);
    }
    run.end();
}

fn data(number: u8) -> Vec<u8> {
    vec![number; 32]
}

fn id(number: u8) -> BlockId {
    BlockId::of(Codec::Raw, &data(number))
}

impl Run {
    fn act(&mut self, script: &mut Script<'_>) {
        let provider = usize::from(script.byte()) % self.providers.len();
        let next = self.providers[provider].asked.first().copied();
        match script.below(10) {
            0 => {
                let first = script.below(BLOCKS);
                let ids: Vec<_> = (first..BLOCKS.min(first + script.below(80))).map(id).collect();
                self.demanded.extend(&ids);
                self.step(Input::Demand(ids));
            }
            1 => {
                let state = &mut self.providers[provider].state;
                if *state == State::Dialing {
                    *state = State::Up;
                }
                self.step(Input::Up(provider));
            }
            2 => {
                // The block that is due.
                let right = (0..BLOCKS).find(|number| Some(id(*number)) == next);
                self.answer(provider, Input::Block(provider, data(right.unwrap_or(0))));
            }
            3 => self.answer(provider, Input::Block(provider, data(script.below(BLOCKS)))),
            4 => self.answer(provider, Input::Missing(provider, next.unwrap_or_else(|| id(0)))),
            5 => self.answer(provider, Input::Missing(provider, id(script.below(BLOCKS)))),
            6 => self.step(Input::Lost(provider, "lied".into())),
            9 => {
                let own = &mut self.providers[provider];
                if own.state == State::Up {
                    own.state = State::Closed;
                    own.asked.clear();
                }
                self.step(Input::Closed(provider, "reset".into()));
            }
            7 => {
                self.now += Duration::from_secs(script.byte().into());
                self.step(Input::Tick);
            }
            _ if self.providers.len() < PROVIDERS_MAX => {
                assert_eq!(self.fetch.add_provider(self.now), self.providers.len());
                self.providers.push(Provider::new());
            }
            _ => self.step(Input::Tick),
        }
    }

    fn answer(&mut self, provider: ProviderIndex, input: Input) {
        let asked = &mut self.providers[provider].asked;
        if !asked.is_empty() {
            asked.remove(0);
        }
        self.step(input);
    }

    fn step(&mut self, input: Input) {
        let mut out = Vec::new();
        self.fetch.step(self.now, input, &mut out);
        for effect in out {
            self.check(effect);
        }
        let on_the_way: usize = self.providers.iter().map(|provider| provider.asked.len()).sum();
        assert!(on_the_way <= WINDOW_MAX, "{on_the_way} blocks on the way");
    }

    fn check(&mut self, effect: Effect) {
        match effect {
            Effect::Request(index, want) => {
                let provider = &mut self.providers[index];
                assert!(provider.state == State::Up, "asked somebody who is not there");
                assert!(!want.blocks.is_empty() && want.blocks.len() <= WANT_MAX);
                for id in want.blocks.iter() {
                    assert!(self.demanded.contains(id), "asked for what nobody needs");
                    self.tried.entry(*id).or_default().insert(index);
                    provider.asked.push(*id);
                }
            }
            Effect::Deliver(id, data) => {
                assert!(id.matches(&data));
                assert!(self.demanded.remove(&id), "delivered twice");
                self.tried.remove(&id);
            }
            Effect::Unavailable(id) => {
                assert!(self.demanded.remove(&id), "given up twice");
                let tried = self.tried.remove(&id).unwrap_or_default();
                let left = |(index, provider): (usize, &Provider)| {
                    provider.state != State::Gone && !tried.contains(&index)
                };
                assert!(!self.providers.iter().enumerate().any(left), "given up before all were tried");
            }
            Effect::Dial(index) => {
                let provider = &mut self.providers[index];
                assert!(provider.state == State::Closed, "dialed somebody whose link has not ended");
                provider.state = State::Dialing;
            }
            Effect::Drop(index, _) => {
                let provider = &mut self.providers[index];
                assert!(provider.state != State::Gone, "dropped twice");
                provider.state = State::Gone;
                provider.asked.clear();
            }
        }
    }

    /// When everyone is lost, every demand has an answer.
    fn end(mut self) {
        for index in 0..self.providers.len() {
            self.step(Input::Lost(index, "over".into()));
        }
        assert!(self.demanded.is_empty(), "demands without an answer: {:?}", self.demanded);
        assert_eq!(self.fetch.next_tick(), None);
    }
}
