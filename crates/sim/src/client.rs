//! A client: puts its pieces until each is certified, sees to late receipts, and gets what was acknowledged.
//!
//! It may crash like everybody else. What it still has to put it remembers, as a user would; what was under way is gone.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use holdfast_core::bls;
use holdfast_protocol::ask::{AskReply, AskRequest};

use crate::Network;
use crate::chance::Chance;
use crate::disks::Crash;
use crate::download::Download;
use crate::links::{ConnectionId, Frame, PeerIndex, Protocol, Signal};
use crate::piece::Piece;
use crate::record::{Acknowledged, Record};
use crate::world::{Env, Input, Peer};

mod put;

use put::Put;

/// How long an answer to a question may take.
const ANSWER_WINDOW: Duration = Duration::from_secs(30);
/// Questions to a slot on the way to its late receipt.
const ASKS_MAX: u32 = 8;

/// Somebody who stores pieces.
pub struct Client {
    network: &'static Network,
    record: Record,
    jobs: Vec<Job>,
    /// When it gets something that was acknowledged.
    gets_at: Vec<Duration>,
    state: State,
    /// What was to be read at the end and could not be, or was wrong.
    unreadable: Vec<String>,
}

/// A piece to be put.
struct Job {
    piece: Rc<Piece>,
    due: Duration,
    certified: bool,
}

/// What a crash takes.
#[derive(Default)]
struct State {
    next: u64,
    puts: BTreeMap<u64, Put>,
    gets: BTreeMap<u64, Get>,
    late: BTreeMap<u64, Late>,
    routes: BTreeMap<ConnectionId, Route>,
    /// Links that came to the regular end of a conversation.
    idle: BTreeMap<PeerIndex, ConnectionId>,
}

/// What a connection is used for.
#[derive(Clone, Copy)]
enum Route {
    Put(u64, u16),
    Get(u64),
    Late(u64),
    Idle(PeerIndex),
}

struct Get {
    piece: Rc<Piece>,
    download: Download,
    timer: Option<Duration>,
    /// Whether it must succeed.
    last: bool,
}

/// What is asked next on the way to a late receipt.
#[derive(Clone, Copy)]
enum Question {
    /// Keep the certificate.
    Keep,
    /// Do you have the piece by now?
    Piece,
    /// Then sign.
    Receipt,
}

/// A slot whose receipt is still to be had, or that signed and left before there was a certificate to give it.
struct Late {
    number: usize,
    slot: u16,
    question: Question,
    asked: u32,
    connection: Option<ConnectionId>,
}

impl Client {
    /// A client that puts these pieces and gets something at these times.
    pub fn new(
        network: &'static Network,
        record: Record,
        jobs: Vec<(Duration, Rc<Piece>)>,
        gets_at: Vec<Duration>,
    ) -> Self {
        let jobs = jobs.into_iter().map(|(due, piece)| Job { piece, due, certified: false }).collect();
        Self { network, record, jobs, gets_at, state: State::default(), unreadable: Vec::new() }
    }

    /// Pieces that it has no certificate of.
    pub fn uncertified(&self) -> usize {
        self.jobs.iter().filter(|job| !job.certified).count()
    }

    /// When the oldest put or get that is under way began.
    pub fn oldest(&self) -> Option<Duration> {
        let puts = self.state.puts.values().map(Put::began);
        puts.chain(self.state.gets.values().map(|get| get.download.since)).min()
    }

    /// Gets everything that was ever acknowledged; see [`Client::unreadable`].
    pub fn get_everything(&mut self, env: &mut Env<'_>) {
        for acknowledged in self.record.all() {
            self.get(&acknowledged, true, env);
        }
    }

    /// What could not be read when everything was to be.
    pub fn unreadable(&self) -> &[String] {
        &self.unreadable
    }

    fn number(&mut self) -> u64 {
        self.state.next += 1;
        self.state.next
    }

    fn get(&mut self, acknowledged: &Acknowledged, last: bool, env: &mut Env<'_>) {
        let peers: Vec<_> = acknowledged.certificate.slots().iter().copied().map(Network::peer).collect();
        let number = self.number();
        let download = Download::start(acknowledged.piece.cid, &peers, env);
        let get = Get { piece: acknowledged.piece.clone(), download, timer: None, last };
        self.state.gets.insert(number, get);
        self.get_goes_on(number, env);
    }

    fn get_goes_on(&mut self, number: u64, env: &mut Env<'_>) {
        let Some(get) = self.state.gets.get_mut(&number) else { return };
        let Some(end) = get.download.take_end() else {
            for connection in get.download.connections() {
                self.state.routes.insert(*connection, Route::Get(number));
            }
            let due = get.download.next_tick();
            if let Some(due) = due.filter(|due| get.timer.is_none_or(|timer| *due < timer)) {
                get.timer = Some(due);
                env.at(due, "get", number);
            }
            return;
        };
        let get = self.state.gets.remove(&number).expect("found above");
        for connection in get.download.connections() {
            self.state.routes.remove(connection);
        }
        let cid = get.piece.cid;
        match end {
            Ok(piece) if piece == get.piece.bytes => env.count("gets"),
            Ok(_) => env.found(format!("a get of {cid} gave other bytes than were put")),
            Err(why) if get.last => self.unreadable.push(format!("{cid} cannot be read: {why}")),
            Err(why) => {
                env.count("failed gets");
                env.line(format_args!("get {number} failed: {why}"));
            }
        }
    }

    /// A put has a certificate: it goes into the record, and slots that do not have it yet are seen to.
    fn acknowledge(&mut self, job: usize, acknowledged: Acknowledged, departed: &[u16], env: &mut Env<'_>) {
        env.count("acknowledged puts");
        env.line(format_args!("{} is acknowledged", acknowledged.piece.cid));
        self.jobs[job].certified = true;
        let certificate = acknowledged.certificate.clone();
        let number = self.record.add(acknowledged);
        let without = |slot: &u16| !certificate.signers().contains(*slot) || departed.contains(slot);
        for slot in (0..certificate.profile().n).filter(without) {
            let late = Late { number, slot, question: Question::Keep, asked: 0, connection: None };
            let id = self.number();
            self.state.late.insert(id, late);
            let delay = env.chance().time(Duration::from_secs(1)..=Duration::from_secs(15));
            env.after(delay, "late", id);
        }
    }

    /// Asks a slot to keep the certificate, or for its receipt.
    fn ask(&mut self, id: u64, env: &mut Env<'_>) {
        let Some(late) = self.state.late.get_mut(&id) else { return };
        if late.connection.is_some() {
            return;
        }
        late.asked += 1;
        if late.asked > ASKS_MAX {
            self.state.late.remove(&id);
            return;
        }
        let certificate = self.record.get(late.number).certificate;
        let peer = Network::peer(certificate.slots()[usize::from(late.slot)]);
        let connection = env.connect(peer, Protocol::Ask);
        late.connection = Some(connection);
        self.state.routes.insert(connection, Route::Late(id));
        env.after(ANSWER_WINDOW, "answer", connection.0);
    }

    fn late_signal(&mut self, id: u64, connection: ConnectionId, signal: &Signal, env: &mut Env<'_>) {
        let Some(late) = self.state.late.get_mut(&id) else { return };
        match signal {
            Signal::Connected => {
                let certificate = self.record.get(late.number).certificate;
                let question = match late.question {
                    Question::Keep => AskRequest::Keep(certificate.certificate().clone()),
                    Question::Piece => AskRequest::Piece(certificate.statement().cid),
                    Question::Receipt => AskRequest::Receipt(certificate.statement().clone()),
                };
                env.message(connection, &question);
            }
            Signal::Frame(frame) => {
                match frame.message() {
                    Some(AskReply::Kept(true)) => {
                        let certificate = self.record.get(late.number).certificate;
                        if certificate.signers().contains(late.slot) {
                            env.count("departed slots given the certificate");
                            late.asked = ASKS_MAX; // nothing more is wanted of it
                        }
                        late.question = Question::Piece;
                    }
                    Some(AskReply::Piece(Some(info))) => {
                        let statement = self.record.get(late.number).certificate.statement().clone();
                        if (info.root, info.bytes) == (statement.piece_root, statement.piece_bytes) {
                            late.question = Question::Receipt;
                        }
                    }
                    Some(AskReply::Receipt(Some(signature))) => {
                        let late = (late.number, late.slot);
                        self.state.late.remove(&id);
                        self.late_receipt(late, &signature, env);
                    }
                    _ => {}
                }
                self.hang_up_late(id, connection, env);
            }
            Signal::Lost => self.hang_up_late(id, connection, env),
            Signal::Incoming(_) | Signal::Taken(_) => {}
        }
    }

    fn late_receipt(&mut self, (number, slot): (usize, u16), signature: &bls::Signature, env: &mut Env<'_>) {
        let mut certificate = self.record.get(number).certificate;
        if certificate.add(slot, signature, &self.network.committee).is_ok() {
            env.count("late receipts");
            self.record.grow(number, certificate);
        } else {
            env.line(format_args!("slot {slot} signed something else, late"));
        }
    }

    fn hang_up_late(&mut self, id: u64, connection: ConnectionId, env: &mut Env<'_>) {
        env.close(connection);
        self.state.routes.remove(&connection);
        if let Some(late) = self.state.late.get_mut(&id) {
            late.connection = None;
            let pause = env.chance().time(Duration::from_secs(2)..=Duration::from_secs(20));
            env.after(pause, "late", id);
        }
    }

    fn signal(&mut self, connection: ConnectionId, signal: &Signal, env: &mut Env<'_>) {
        match self.state.routes.get(&connection).copied() {
            Some(Route::Put(number, slot)) => {
                if matches!(signal, Signal::Lost) {
                    self.state.routes.remove(&connection);
                }
                self.put_signal(number, slot, signal, env);
            }
            Some(Route::Get(number)) => {
                if let Some(get) = self.state.gets.get_mut(&number) {
                    get.download.handle(connection, signal, env);
                }
                self.get_goes_on(number, env);
            }
            Some(Route::Late(id)) => self.late_signal(id, connection, signal, env),
            Some(Route::Idle(peer)) => {
                // Whatever comes between conversations ends the link.
                env.close(connection);
                self.state.routes.remove(&connection);
                self.state.idle.remove(&peer);
            }
            None => {}
        }
    }
}

impl Peer for Client {
    fn start(&mut self, env: &mut Env<'_>) {
        for (number, job) in self.jobs.iter().enumerate().filter(|(_, job)| !job.certified) {
            env.at(job.due, "put", number as u64);
        }
        for at in self.gets_at.iter().filter(|at| **at > env.now()).copied().collect::<Vec<_>>() {
            env.at(at, "some get", 0);
        }
    }

    fn handle(&mut self, input: Input, env: &mut Env<'_>) {
        let timer = match input {
            Input::Link(connection, signal) => return self.signal(connection, &signal, env),
            Input::Timer(timer) => timer,
        };
        match timer.what {
            "put" => self.begin_put(usize::try_from(timer.id).expect("an index"), env),
            "put tick" => self.put_tick(timer.id, env),
            "root" => self.put_root(timer.id, env),
            "some get" => {
                if !self.record.is_empty() {
                    let number = env.chance().index(self.record.len());
                    self.get(&self.record.get(number), false, env);
                }
            }
            "get" => {
                if let Some(get) = self.state.gets.get_mut(&timer.id) {
                    get.timer = None;
                    get.download.tick(env);
                }
                self.get_goes_on(timer.id, env);
            }
            "late" => self.ask(timer.id, env),
            _ => {
                let connection = ConnectionId(timer.id);
                if let Some(Route::Late(id)) = self.state.routes.get(&connection).copied() {
                    self.hang_up_late(id, connection, env);
                }
            }
        }
    }

    fn crash(&mut self, _how: Crash, _chance: &mut Chance) {
        self.state = State { next: self.state.next, ..State::default() };
    }
}

/// Whether a frame is data.
fn is_data(frame: &Frame) -> bool {
    matches!(frame, Frame::Data(_))
}
