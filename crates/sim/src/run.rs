//! A whole run, drawn from its seed: who takes part, what is put and got, and which faults fall when.
//!
//! 1. For [`WORK`], three clients put and get, one client and one of the seven members lie, and faults fall.
//! 2. Faults end, everybody is back, and for [`SETTLE`] whatever was interrupted may come to its end.
//! 3. A client that was never there before gets everything, and [`crate::verdict`] looks at everything.

use std::rc::Rc;
use std::time::Duration;

use crate::Network;
use crate::adversary::{Adversary, LyingClient};
use crate::chance::Chance;
use crate::client::Client;
use crate::disks::Crash;
use crate::links::PeerIndex;
use crate::node::Node;
use crate::piece::Piece;
use crate::record::Record;
use crate::trace::Trace;
use crate::verdict::{self, Report, TALK_MAX};
use crate::verified::Verified;
use crate::world::{Env, Fault, Input, Peer, World};

/// How long clients begin puts and gets, and faults fall.
pub const WORK: Duration = Duration::from_secs(300);
/// How long everything may take to come to its end after that: longer than beginnings of pieces are kept.
pub const SETTLE: Duration = Duration::from_secs(900);
/// How long the last gets may take: a member that stalls is passed over after half a minute. It is longer than any
/// conversation may take, so that one which never ends is found.
const LAST_GETS: Duration = TALK_MAX.saturating_add(Duration::from_secs(60));

/// Clients that keep the rules.
const CLIENTS: usize = 3;
/// Pieces put by each of them.
const PIECES: usize = 7;
/// Gets of each of them while faults fall.
const GETS: usize = 8;
/// One frame in so many is lost, usually.
const LOSS: u64 = 30;
/// One frame in so many is lost for a while, when things are bad.
const BAD_LOSS: u64 = 6;

/// Whoever takes part in a run.
pub enum Participant {
    /// A member that keeps the rules.
    Node(Box<Node>),
    /// A member that does not.
    Adversary(Adversary),
    /// A client.
    Client(Box<Client>),
    /// A client that lies.
    LyingClient(LyingClient),
}

impl Participant {
    fn peer(&mut self) -> &mut dyn Peer {
        match self {
            Self::Node(node) => &mut **node,
            Self::Adversary(adversary) => adversary,
            Self::Client(client) => &mut **client,
            Self::LyingClient(client) => client,
        }
    }
}

impl Peer for Participant {
    fn start(&mut self, env: &mut Env<'_>) {
        self.peer().start(env);
    }

    fn handle(&mut self, input: Input, env: &mut Env<'_>) {
        self.peer().handle(input, env);
    }

    fn crash(&mut self, how: Crash, chance: &mut Chance) {
        self.peer().crash(how, chance);
    }
}

/// One run.
pub struct Run {
    pub(crate) network: &'static Network,
    pub(crate) seed: u64,
    pub(crate) world: World<Participant>,
    pub(crate) record: Record,
    reader: PeerIndex,
}

impl Run {
    /// The run of a seed.
    pub fn new(network: &'static Network, seed: u64, trace: Trace) -> Self {
        let mut chance = Chance::new(seed);
        let members = network.secrets.len();
        let bad = chance.index(members);
        let verified = Verified::default();
        let mut peers: Vec<_> = (0..members)
            .map(|place| match place == bad {
                true => Participant::Adversary(Adversary::of_kind(network, place, seed)),
                false => {
                    Participant::Node(Box::new(Node::new(network, verified.clone(), place, &mut chance)))
                }
            })
            .collect();

        let record = Record::default();
        let shared_leaf = chance.bytes(5000);
        let pieces: Vec<_> = (0..CLIENTS * PIECES - CLIENTS)
            .map(|_| Rc::new(Piece::draw(&mut chance, &shared_leaf)))
            .collect();
        for own in pieces.chunks(PIECES - 1) {
            let mut job = |piece: &Rc<Piece>| (chance.time(Duration::ZERO..=WORK * 3 / 4), piece.clone());
            let mut jobs: Vec<_> = own.iter().map(&mut job).collect();
            // The last one is somebody else's, too.
            jobs.push(job(&pieces[0]));
            let gets_at = (0..GETS).map(|_| chance.time(WORK / 8..=WORK)).collect();
            let client = Client::new(network, record.clone(), jobs, gets_at);
            peers.push(Participant::Client(Box::new(client)));
        }
        peers.push(Participant::LyingClient(LyingClient::new(network, record.clone(), pieces, bad)));
        let reader = PeerIndex(peers.len());
        let client = Client::new(network, record.clone(), Vec::new(), Vec::new());
        peers.push(Participant::Client(Box::new(client)));

        let count = peers.len();
        let mut world = World::new(peers, chance.fork(), trace);
        for (at, fault) in faults(&mut chance, bad, members, count) {
            world.plan(at, fault);
        }
        Self { network, seed, world, record, reader }
    }

    /// Lets everybody work, and everything come to its end.
    pub fn work(&mut self) {
        self.world.run_until(WORK + SETTLE);
    }

    /// Gets everything once more, and says what holds.
    pub fn judge(mut self) -> Report {
        self.world.with(self.reader, |reader, env| {
            if let Participant::Client(client) = reader {
                client.get_everything(env);
            }
        });
        self.world.run_until(WORK + SETTLE + LAST_GETS);
        verdict::judge(&mut self)
    }
}

/// What befalls a run of so many members and peers.
fn faults(chance: &mut Chance, bad: usize, members: usize, peers: usize) -> Vec<(Duration, Fault)> {
    let mut faults = vec![(Duration::ZERO, Fault::Lose(Some(LOSS)))];
    let crash = |peer: usize, chance: &mut Chance| {
        let how = if chance.one_in(2) { Crash::Kill } else { Crash::PowerCut };
        let away = chance.time(Duration::from_secs(1)..=Duration::from_secs(40));
        let at = chance.time(WORK / 20..=WORK * 9 / 10);
        (at, Fault::Crash { peer: PeerIndex(peer), events: chance.below(40), how, away })
    };
    let mut nodes: Vec<_> = (0..members).filter(|place| *place != bad).collect();
    for _ in 0..3 + chance.below(3) {
        let node = chance.take(&mut nodes);
        faults.push(crash(node, chance));
        if chance.one_in(3) {
            faults.push(crash(node, chance)); // once more
        }
    }
    for client in members..members + CLIENTS {
        if chance.one_in(3) {
            faults.push(crash(client, chance));
        }
    }
    for _ in 0..1 + chance.below(2) {
        let far = (0..peers).map(|_| chance.one_in(3)).collect();
        let at = chance.time(WORK / 10..=WORK * 8 / 10);
        faults.push((at, Fault::Part(far)));
        faults.push((at + chance.time(Duration::from_secs(3)..=Duration::from_secs(45)), Fault::Join));
    }
    for _ in 0..2 {
        let at = chance.time(Duration::ZERO..=WORK * 8 / 10);
        faults.push((at, Fault::Lose(Some(BAD_LOSS))));
        faults.push((at + Duration::from_secs(15), Fault::Lose(Some(LOSS))));
    }
    faults.push((WORK, Fault::Calm));
    faults
}
