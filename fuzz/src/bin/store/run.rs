//! Operations on a store, and what comes of them.

use std::env;
use std::fmt::Debug;
use std::io;
use std::sync::{Arc, LazyLock, Mutex};

use holdfast_core::id::Epoch;
use holdfast_fuzz::script::Script;
use holdfast_store::disk::{Disk, MemoryDisk};
use holdfast_store::store::{CommitError, Options, PutError, Store};

use crate::model::{Change, Model, Number, PIECES, certificate, promise};

/// Room for one of the two large pieces, and the beginning of the other.
const QUOTA: u64 = 500_000;

/// What the store said to a change.
enum Answer {
    Done,
    NotHeld,
    Failed(String),
}

/// What waits for an answer.
struct Waiting {
    change: Change,
    answer: Place,
}

/// A store, its disk, and what it should know.
pub(crate) struct Run {
    disk: MemoryDisk,
    store: Store,
    model: Model,
    waiting: Vec<Waiting>,
}

/// The disk of a store that was opened once. To make an index takes longer than most of what follows.
pub(crate) static EMPTY: LazyLock<MemoryDisk> = LazyLock::new(|| {
    let disk = MemoryDisk::default();
    drop(open(&disk));
    disk
});

fn open(disk: &MemoryDisk) -> Option<Store> {
    let options =
        Options { quota: QUOTA, headroom: 0, scratch: env::temp_dir(), draw_key: Arc::new(|| Ok([5; 32])) };
    match Store::over(Arc::new(disk.clone()), options) {
        Ok(store) => Some(store),
        Err(_) if is_out(disk) => None,
        Err(error) => panic!("a good disk does not open: {error:?}"),
    }
}

/// Whether the power is out.
fn is_out(disk: &MemoryDisk) -> bool {
    disk.open("nothing").is_err_and(|error| error.kind() != io::ErrorKind::NotFound)
}

/// Where an answer is put when it comes.
type Place = Arc<Mutex<Option<Answer>>>;

fn put(place: &Place, answer: Answer) {
    *place.lock().expect("nobody panics") = Some(answer);
}

fn answer<T, E: Debug>(result: Result<T, E>) -> Answer {
    result.map_or_else(|error| Answer::Failed(format!("{error:?}")), |_| Answer::Done)
}

fn commit_answer(result: Result<(), CommitError>) -> Answer {
    match result {
        Err(CommitError::NotHeld { .. }) => Answer::NotHeld,
        result => answer(result),
    }
}

impl Run {
    pub(crate) fn start() -> Self {
        let disk = EMPTY.after_power_cut(|_| 0);
        let store = open(&disk).expect("the power stays");
        Self { disk, store, model: Model::default(), waiting: Vec::new() }
    }

    pub(crate) fn act(&mut self, script: &mut Script<'_>) {
        let number = |script: &mut Script<'_>| usize::from(script.below(6));
        match script.below(12) {
            0 | 1 => {
                let (number, until) = (number(script), script.below(5));
                self.put(number, (until > 0).then_some(until));
                self.flush_perhaps(script);
            }
            2 => {
                let (number, place, change) = (number(script), script.short(), script.byte());
                self.spoilt(number, place, change);
            }
            3 => {
                let (number, share) = (number(script), script.byte());
                self.interrupt(number, share);
            }
            4 => {
                let (number, until) = (number(script), script.below(4) + 1);
                let given = self.expect(Change::Promise(number, until));
                let done = move |result| put(&given, commit_answer(result));
                self.store.promise(PIECES[number].cid, promise(until), done);
                self.flush_perhaps(script);
            }
            5 => {
                let (number, byte) = (number(script), script.byte());
                let given = self.expect(Change::Certify(number, byte));
                let done = move |result| put(&given, commit_answer(result));
                let replaces = move |kept: Option<&[u8]>| kept.is_none_or(|kept| kept[0] < byte);
                self.store.certify(PIECES[number].cid, certificate(byte), replaces, done);
                self.flush_perhaps(script);
            }
            6 => {
                let (number, byte) = (number(script), script.byte());
                put(&self.expect(Change::CertifyFirst(number, byte)), Answer::Done);
                self.store.certify_lazily(PIECES[number].cid, certificate(byte));
                self.flush_perhaps(script);
            }
            7 => self.collect(script.below(5)),
            8 => self.disk.die_after(u64::from(script.byte()) + 1),
            9 => self.cut(script),
            10 => self.lose_index(script),
            _ => {
                self.flush();
                if !is_out(&self.disk) {
                    self.compare();
                }
            }
        }
        if is_out(&self.disk) {
            self.flush();
            self.cut(script);
        }
    }

    /// The last look.
    pub(crate) fn end(mut self, script: &mut Script<'_>) {
        self.flush();
        if !is_out(&self.disk) {
            self.compare();
        }
        self.cut(script);
    }

    /// Waits for what becomes of a change.
    fn expect(&mut self, change: Change) -> Place {
        let answer = Place::default();
        self.waiting.push(Waiting { change, answer: answer.clone() });
        answer
    }

    /// Whether a change waits alone is up to the script.
    fn flush_perhaps(&mut self, script: &mut Script<'_>) {
        if script.below(2) == 0 {
            self.flush();
        }
    }

    fn put(&mut self, number: Number, until: Option<u8>) {
        let piece = &PIECES[number];
        let before = self.store.usage().bytes;
        let mut draft = match self.store.draft(piece.cid, piece.bytes.len() as u64) {
            Ok(draft) => draft,
            Err(PutError::Quota { .. }) => {
                assert!(before + piece.taken() > QUOTA, "there was room");
                return;
            }
            Err(error) => return self.failed(&error),
        };
        let from = usize::try_from(draft.received()).expect("small");
        for part in piece.bytes[from..].chunks(100_000) {
            if let Err(error) = draft.push(part) {
                return self.failed(&error);
            }
        }
        let given = self.expect(Change::Put(number, until));
        draft.seal(&piece.root, until.map(promise), move |result| put(&given, answer(result)));
    }

    /// A put of other bytes than those of the piece leaves nothing.
    fn spoilt(&mut self, number: Number, place: u16, change: u8) {
        let piece = &PIECES[number];
        let mut bytes = piece.bytes.clone();
        let place = usize::from(place) % bytes.len();
        bytes[place] ^= change.max(1);
        let before = self.store.usage().bytes;
        let Ok(mut draft) = self.store.draft(piece.cid, bytes.len() as u64) else {
            assert!(before + piece.taken() > QUOTA || is_out(&self.disk), "there was room");
            return;
        };
        let from = usize::try_from(draft.received()).expect("small");
        if place < from {
            return; // that part was good before
        }
        if bytes[from..].chunks(100_000).all(|part| draft.push(part).is_ok()) {
            let given = Place::default();
            let place = given.clone();
            draft.seal(&piece.root, None, move |result| put(&place, answer(result)));
            let given = given.lock().expect("nobody panics").take();
            assert!(matches!(given, Some(Answer::Failed(_))), "wrong bytes were stored");
        }
    }

    /// A put that stops on the way, and is kept for the next one.
    fn interrupt(&mut self, number: Number, share: u8) {
        let piece = &PIECES[number];
        let Ok(mut draft) = self.store.draft(piece.cid, piece.bytes.len() as u64) else { return };
        let from = usize::try_from(draft.received()).expect("small");
        let to = from.max(piece.bytes.len() * usize::from(share) / 255);
        for part in piece.bytes[from..to].chunks(100_000) {
            if let Err(error) = draft.push(part) {
                return self.failed(&error);
            }
        }
        if let Err(error) = draft.suspend() {
            self.failed(&error);
        }
    }

    fn collect(&mut self, epoch: u8) {
        self.flush();
        if is_out(&self.disk) {
            return;
        }
        let held = self.model.known.values().filter(|known| known.held);
        let expected = held.filter(|known| known.until() <= epoch).count() as u64;
        match self.store.collect(Epoch(epoch.into())) {
            Ok(collected) => {
                assert_eq!(collected.pieces, expected, "collected at {epoch}");
                self.model.apply(&Change::Collect(epoch));
            }
            Err(error) => {
                self.failed(&error);
                self.model.uncertain.push(Change::Collect(epoch));
            }
        }
    }

    /// Nothing fails while there is power.
    fn failed(&self, error: &dyn Debug) {
        assert!(is_out(&self.disk), "{error:?}");
    }

    /// Makes durable what waits, and hears what became of it.
    fn flush(&mut self) {
        self.store.commit();
        let out = is_out(&self.disk);
        for Waiting { change, answer } in std::mem::take(&mut self.waiting) {
            let answer = answer.lock().expect("nobody panics").take().expect("everybody is answered");
            match answer {
                // Nobody is told what became of a certificate that nobody waits for; it may fail with the power.
                Answer::Done if out && matches!(change, Change::CertifyFirst(..)) => {
                    self.model.uncertain.push(change)
                }
                Answer::Done => {
                    if let Change::Promise(number, _) = change {
                        assert!(out || self.model.is_held(number), "promised what is not here");
                    }
                    self.model.apply(&change);
                }
                Answer::NotHeld => {
                    let Change::Promise(number, _) = change else { panic!("{change:?} needs no piece") };
                    assert!(out || !self.model.is_held(number), "the piece is here");
                }
                Answer::Failed(error) => {
                    self.failed(&error);
                    self.model.uncertain.push(change);
                }
            }
        }
    }

    fn compare(&mut self) {
        self.model.compare(&self.store);
        self.check_usage();
    }

    fn check_usage(&self) {
        let partials = self.disk.list("partial").expect("the folder is there");
        let partials: u64 = partials.iter().map(|entry| entry.bytes).sum();
        assert_eq!(self.store.usage().bytes, self.model.bytes() + partials, "bytes are counted once");
    }

    /// The power goes, and perhaps again while the store is opened.
    fn cut(&mut self, script: &mut Script<'_>) {
        // What waits was never written, and nobody hears of it.
        self.waiting.clear();
        let mut chance = script.clone();
        let seed = script.byte();
        let mut cut = |disk: &MemoryDisk| {
            disk.after_power_cut(|choices| match seed {
                0 => 0,
                1 => choices - 1,
                _ => u64::from(chance.byte()) % choices,
            })
        };
        let left = cut(&self.disk);
        // What waits holds on to its store; without power, all of it fails.
        self.disk.die_after(0);
        self.store.commit();
        self.disk = left;
        let early = script.byte();
        if early > 200 {
            self.disk.die_after(u64::from(early - 200));
            drop(open(&self.disk));
            self.disk = cut(&self.disk);
        }
        self.store = open(&self.disk).expect("the power stays");
        self.compare();
    }

    /// The store stops, and its index is lost; all is in the log.
    fn lose_index(&mut self, script: &mut Script<'_>) {
        self.flush();
        if is_out(&self.disk) {
            return;
        }
        if self.disk.remove("index.redb").is_ok() {
            self.cut(script);
        }
    }
}
