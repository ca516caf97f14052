//! A member that keeps the rules: its store, its enclave, and every conversation with it.
//!
//! Performs what the machines decide. A change of the store waits for the next sync of the log, which several share; a
//! signature takes the enclave a moment. While a conversation waits for either, what arrives on it waits too.

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use bytes::Bytes;
use holdfast_core::block::BlockId;
use holdfast_core::id::{Epoch, NodeId};
use holdfast_core::{Fault, bls, codec};
use holdfast_proofs::certificate::{Certificate, slots_of};
use holdfast_proofs::statement::Statement;
use holdfast_protocol::intake::Intake;
use holdfast_protocol::link::Start;
use holdfast_protocol::put::{Reason, Refusal};
use holdfast_store::store::{Options, PieceDraft, PutError, Store};

use crate::Network;
use crate::chance::Chance;
use crate::disks::{Crash, Machine};
use crate::links::{ConnectionId, Frame, Protocol, Signal};
use crate::verified::Verified;
use crate::world::{Env, Input, Peer};

mod answer;
mod enclave;
mod intake;
mod repair;
mod serve;

use enclave::Enclave;
use repair::Repair;

/// Room of a store: more than a run fills.
const QUOTA: u64 = 1 << 30;
/// How often a node tidies up.
const UPKEEP: Duration = Duration::from_secs(60);
/// A link on which no conversation begins for so long is closed.
const IDLE_MAX: Duration = Duration::from_secs(60);

/// A member of the network.
pub struct Node {
    network: &'static Network,
    verified: Verified,
    place: usize,
    id: NodeId,
    disk: Machine,
    enclave_disk: Machine,
    /// From which the secrets of segments follow.
    secret: [u8; 32],
    segments: Arc<AtomicU64>,
    /// What its enclave has ever signed, as somebody sees it who sees everything.
    signed: BTreeMap<BlockId, Vec<Statement>>,
    running: Option<Running>,
}

/// What a crash takes.
struct Running {
    store: Store,
    enclave: Enclave,
    talks: BTreeMap<ConnectionId, Talk>,
    repairs: BTreeMap<u64, Repair>,
    next_repair: u64,
    done: mpsc::Sender<Done>,
    ended: mpsc::Receiver<Done>,
    sync_is_due: bool,
}

/// Something became durable, or did not.
enum Done {
    Persisted(ConnectionId, Result<(), Refusal>),
    /// A certificate that somebody wants to hear of.
    Kept(ConnectionId, bool),
    Repaired(u64, Result<(), Refusal>),
}

/// One connection that somebody opened to here.
struct Talk {
    since: Duration,
    heard: Duration,
    kind: Kind,
    inbox: VecDeque<Arrived>,
    /// The earliest timer that is set.
    timer: Option<Duration>,
}

enum Kind {
    /// Which conversation comes?
    Idle,
    Put(Box<Putting>),
    Get,
    Ask,
    /// The question is being answered.
    Answering(Option<bls::Signature>),
}

struct Putting {
    intake: Intake<'static>,
    draft: Option<PieceDraft>,
    /// The data frame that arrived last.
    data: Bytes,
    /// What the enclave is about to answer.
    signed: Option<Result<bls::Signature, Refusal>>,
}

enum Arrived {
    Frame(Frame),
    Lost,
}

impl Node {
    /// The member at this place, with empty disks.
    pub fn new(network: &'static Network, verified: Verified, place: usize, chance: &mut Chance) -> Self {
        Self {
            network,
            verified,
            place,
            id: network.committee.members()[place].node,
            disk: Machine::default(),
            enclave_disk: Machine::default(),
            secret: chance.bytes(32).try_into().expect("32 bytes"),
            segments: Arc::default(),
            signed: BTreeMap::new(),
            running: None,
        }
    }

    /// Its store, while it runs.
    pub fn store(&self) -> Option<&Store> {
        self.running.as_ref().map(|running| &running.store)
    }

    /// What it does not keep of a statement that others say it has signed.
    pub fn breaks(&self, statement: &Statement) -> Option<&'static str> {
        if !self.signed.get(&statement.cid).is_some_and(|signed| signed.contains(statement)) {
            return Some("never signed it");
        }
        let Some(store) = self.store() else { return Some("does not run") };
        let held = store.held(&statement.cid).expect("a disk in memory can be read");
        if held.is_none_or(|row| (row.root, row.bytes) != (statement.piece_root, statement.piece_bytes)) {
            return Some("does not hold it");
        }
        let promised = store.has_promised(&statement.cid, &codec::encode(statement));
        (!promised.expect("a disk in memory can be read")).then_some("has forgotten its promise")
    }

    /// When the oldest conversation that is still open began.
    pub fn oldest_talk(&self) -> Option<Duration> {
        let running = self.running.as_ref()?;
        let talks = running.talks.values().filter(|talk| !matches!(talk.kind, Kind::Idle));
        talks.map(|talk| talk.since).chain(running.repairs.values().map(Repair::since)).min()
    }

    /// What is missing of all that its enclave ever signed.
    pub fn broken_promises(&self) -> Vec<String> {
        let mut broken = Vec::new();
        for (cid, statements) in &self.signed {
            if statements.iter().any(|statement| statement.piece_root != statements[0].piece_root) {
                broken.push(format!("it signed two roots for {cid}"));
            }
            let wrong = statements.iter().filter_map(|statement| self.breaks(statement));
            broken.extend(wrong.map(|wrong| format!("it signed for {cid} and {wrong}")));
        }
        broken
    }

    fn run(&mut self) -> &mut Running {
        self.running.as_mut().expect("only who runs is told anything")
    }

    /// Sees to it that what waits is synced soon.
    fn sync_soon(&mut self, env: &mut Env<'_>) {
        if std::mem::replace(&mut self.run().sync_is_due, true) {
            return;
        }
        let slow = env.chance().one_in(12);
        let longest = if slow { Duration::from_secs(3) } else { Duration::from_millis(40) };
        let delay = env.chance().time(Duration::from_millis(2)..=longest);
        env.after(delay, "sync", 0);
    }

    fn sync(&mut self, env: &mut Env<'_>) {
        self.run().sync_is_due = false;
        self.run().store.commit();
        while let Ok(done) = self.run().ended.try_recv() {
            match done {
                Done::Persisted(connection, result) => self.persisted(connection, result, env),
                Done::Kept(connection, kept) => self.kept(connection, kept, env),
                Done::Repaired(number, result) => self.repaired(number, result, env),
            }
        }
    }

    /// Whether a slot of the statement's piece is here.
    fn owns_slot(&self, statement: &Statement) -> bool {
        let committee = &self.network.committee;
        let profile = statement.validate(committee);
        profile.is_ok_and(|profile| slots_of(statement, profile, committee).contains(&self.place))
    }

    /// Keeps a certificate that is larger than the one known. The answer, if `asked` wants one, comes when it is durable.
    fn keep(&mut self, certificate: Certificate, asked: Option<ConnectionId>, env: &mut Env<'_>) {
        let cid = certificate.statement.cid;
        let committee = &self.network.committee;
        let known = self.run().store.certificate(&cid).expect("a disk in memory can be read");
        let known = known.and_then(|bytes| Certificate::from_bytes(&bytes).ok());
        let known = known.and_then(|known| self.verified.verify(known, committee));
        let new = self.verified.verify(certificate, committee);
        let new = new.filter(|new| self.owns_slot(new.statement()));
        let done = self.run().done.clone();
        let answer = move |kept: bool| asked.map(|connection| done.send(Done::Kept(connection, kept)));
        match new {
            None => drop(answer(false)),
            Some(new) if known.is_some_and(|known| known.signers().count() >= new.signers().count()) => {
                drop(answer(true));
            }
            Some(new) => {
                let bytes = new.certificate().to_bytes();
                // Nothing comes between the look above and this.
                self.run().store.certify(cid, bytes, |_| true, move |result| drop(answer(result.is_ok())));
            }
        }
        self.sync_soon(env);
    }

    /// Has the enclave sign, and writes down that it did.
    fn sign(&mut self, statement: &Statement) -> Result<bls::Signature, Refusal> {
        let Network { committee, secrets } = self.network;
        let secret = &secrets[self.place];
        let signed = self.run().enclave.sign(committee, secret, statement);
        let signature = signed.map_err(|error| Refusal::new(Reason::Internal, error.to_string()))?;
        let signed = self.signed.entry(statement.cid).or_default();
        if !signed.contains(statement) {
            signed.push(statement.clone());
        }
        Ok(signature)
    }

    /// Works on what has arrived, until the conversation has to wait.
    fn pump(&mut self, id: ConnectionId, env: &mut Env<'_>) {
        while let Some(talk) = self.run().talks.get_mut(&id) {
            let waits = match &talk.kind {
                Kind::Put(putting) => !putting.intake.awaits_client(),
                Kind::Answering(_) => true,
                _ => false,
            };
            if waits {
                break;
            }
            let Some(arrived) = talk.inbox.pop_front() else { break };
            talk.heard = env.now();
            match (&talk.kind, arrived) {
                (Kind::Put(_), arrived) => self.put_arrived(id, arrived, env),
                (_, Arrived::Lost) => drop(self.run().talks.remove(&id)),
                (Kind::Idle, Arrived::Frame(frame)) => match frame.message() {
                    Some(Start::Put(())) => self.begin_put(id, env),
                    Some(Start::Get(())) => talk.kind = Kind::Get,
                    None => self.hang_up(id, env),
                },
                (Kind::Get, Arrived::Frame(frame)) => self.serve(id, &frame, env),
                (Kind::Ask, Arrived::Frame(frame)) => self.answer(id, &frame, env),
                (Kind::Answering(_), Arrived::Frame(_)) => unreachable!("it waits"),
            }
        }
        self.watch(id, env);
    }

    /// Sets the timer of a conversation's deadline.
    fn watch(&mut self, id: ConnectionId, env: &mut Env<'_>) {
        let Some(talk) = self.run().talks.get_mut(&id) else { return };
        let deadline = match &talk.kind {
            Kind::Put(putting) => putting.intake.deadline(),
            Kind::Answering(_) => None,
            Kind::Idle | Kind::Get | Kind::Ask => Some(talk.heard + IDLE_MAX),
        };
        if let Some(deadline) = deadline.filter(|deadline| talk.timer.is_none_or(|timer| *deadline < timer)) {
            talk.timer = Some(deadline);
            env.at(deadline, "talk", id.0);
        }
    }

    fn deadline(&mut self, id: ConnectionId, env: &mut Env<'_>) {
        let Some(talk) = self.run().talks.get_mut(&id) else { return };
        talk.timer = None;
        match &talk.kind {
            Kind::Put(_) => self.step_intake(id, holdfast_protocol::intake::Input::Tick, env),
            Kind::Answering(_) => {}
            Kind::Idle | Kind::Get | Kind::Ask => {
                if env.now() >= talk.heard + IDLE_MAX {
                    self.hang_up(id, env);
                }
            }
        }
        self.watch(id, env);
    }

    fn hang_up(&mut self, id: ConnectionId, env: &mut Env<'_>) {
        self.run().talks.remove(&id);
        env.close(id);
    }

    fn upkeep(&mut self, env: &mut Env<'_>) {
        let store = &self.run().store;
        store.expire_partials().expect("a disk in memory can be written");
        if env.chance().one_in(2) {
            self.collect(env);
        }
        self.repair_wanted(env);
        env.after(UPKEEP, "upkeep", 0);
    }

    fn collect(&mut self, env: &mut Env<'_>) {
        // It commits what waits as well; that is told below.
        let collected = self.run().store.collect(Epoch(0));
        let collected = collected.expect("a disk in memory can be written");
        env.line(format_args!("collected {} pieces", collected.pieces));
        self.sync(env);
    }
}

impl Peer for Node {
    fn start(&mut self, env: &mut Env<'_>) {
        self.disk.set_time(env.now());
        let (secret, segments) = (self.secret, self.segments.clone());
        let draw_key = move || {
            let number = segments.fetch_add(1, Ordering::Relaxed).to_be_bytes();
            Ok(*blake3::keyed_hash(&secret, &number).as_bytes())
        };
        let options = Options {
            quota: QUOTA,
            headroom: 0,
            scratch: std::env::temp_dir(),
            draw_key: Arc::new(draw_key),
        };
        let store = match Store::over(Arc::new(self.disk.plug()), options) {
            Ok(store) => store,
            Err(error) => return env.found(format!("the store does not open: {error:?}")),
        };
        let enclave = match Enclave::open(&self.enclave_disk.plug()) {
            Ok(enclave) => enclave,
            Err(error) => return env.found(format!("the enclave does not start: {error}")),
        };
        let (done, ended) = mpsc::channel();
        self.running = Some(Running {
            store,
            enclave,
            talks: BTreeMap::new(),
            repairs: BTreeMap::new(),
            next_repair: 0,
            done,
            ended,
            sync_is_due: false,
        });
        self.collect(env);
        for broken in self.broken_promises() {
            env.found(format!("after a start, {broken}"));
        }
        self.repair_wanted(env);
        let first = env.chance().time(Duration::from_secs(5)..=UPKEEP);
        env.after(first, "upkeep", 0);
    }

    fn handle(&mut self, input: Input, env: &mut Env<'_>) {
        if self.running.is_none() {
            return; // it did not start, which was found already
        }
        self.disk.set_time(env.now());
        match input {
            Input::Link(id, Signal::Incoming(protocol)) => {
                let now = env.now();
                let kind = match protocol {
                    Protocol::Link => Kind::Idle,
                    Protocol::Ask => Kind::Ask,
                };
                let talk = Talk { since: now, heard: now, kind, inbox: VecDeque::new(), timer: None };
                self.run().talks.insert(id, talk);
                self.watch(id, env);
            }
            Input::Link(id, signal) => match (self.run().talks.get_mut(&id), signal) {
                (Some(talk), Signal::Frame(frame)) => {
                    talk.inbox.push_back(Arrived::Frame(frame));
                    self.pump(id, env);
                }
                (Some(talk), Signal::Lost) => {
                    talk.inbox.push_back(Arrived::Lost);
                    self.pump(id, env);
                }
                (Some(_), _) => {}
                (None, signal) => self.repair_signal(id, &signal, env),
            },
            Input::Timer(timer) => match timer.what {
                "sync" => self.sync(env),
                "talk" => self.deadline(ConnectionId(timer.id), env),
                "signed" => self.signed(ConnectionId(timer.id), env),
                "repair" => self.repair_tick(timer.id, env),
                _ => self.upkeep(env),
            },
        }
    }

    fn crash(&mut self, how: Crash, chance: &mut Chance) {
        self.disk.pull();
        self.enclave_disk.pull();
        self.running = None;
        self.disk.crash(how, chance);
        self.enclave_disk.crash(how, chance);
    }
}

/// What the client is told. Trouble of our own must not happen here, for the disks are sound.
fn refusal(error: &PutError) -> Refusal {
    let reason = match error {
        PutError::Quota { .. } => Reason::Quota,
        PutError::Length { .. } => Reason::Length,
        PutError::Root { .. } => Reason::Root,
        error if error.fault() == Fault::Peer => Reason::Piece,
        _ => Reason::Internal,
    };
    Refusal::new(reason, holdfast_core::explain(error))
}
