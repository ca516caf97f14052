//! Performs what the dispersal machine decides: a planned piece becomes a certificate.

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use holdfast_net::Net;
use holdfast_net::frames::{FrameReader, FrameWriter};
use holdfast_net::link::{self, Link, LinkStream};
use holdfast_proofs::profile::Profile;
use holdfast_proofs::statement::StatementError;
use holdfast_protocol::dispersal::{self, Dispersal, Effect, Input, Outcome, Wait};
use holdfast_protocol::link::Start;
use holdfast_protocol::put::{EAGER_BYTES, Offer, PutReply, PutRequest, Terms};
use holdfast_store::source::{Plan, SourceError};
use tokio::sync::mpsc;
use tokio::task::{AbortHandle, JoinSet};

use crate::ask;
use crate::feed::{Feed, Follower};
use crate::network::Network;

/// Events waiting for the machine: a few per slot of the largest profile.
const EVENTS: usize = 1024;
/// Orders waiting for one slot's link: there are never more than five, Open, the piece, Seal, Keep and the end.
const ORDERS: usize = 8;
/// A link has all the time to open that the machine waits for it, and no more.
const _: () = assert!(link::DIAL_WINDOW.as_nanos() == dispersal::DIAL_WINDOW.as_nanos());
/// Certificates are on their way to the slots by then, or the slots do without.
const END_WINDOW: Duration = Duration::from_secs(2);

/// Why a piece could not be dispersed at all. That too few slots signed is no error here, see [`Outcome`].
#[derive(Debug, thiserror::Error)]
pub enum PutError {
    /// The piece cannot be read.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// The network allows no such statement.
    #[error(transparent)]
    Statement(#[from] StatementError),
    /// Temporary space failed.
    #[error("could not use temporary data")]
    Scratch(#[from] io::Error),
}

/// What is known while a put goes on.
#[derive(Clone, Copy, Debug)]
pub enum Progress {
    /// A slot took so many more bytes than ever before.
    Sent(u16, u64),
}

/// Disperses a piece to its slots on these terms and gathers a certificate, which every slot that signed is given. For the
/// others there is [`crate::ask::give`].
///
/// If the future is dropped, all links are closed; slots keep what they have for ten minutes, and the same put goes on
/// there.
///
/// # Errors
/// See [`PutError`].
pub async fn put(
    net: &Net,
    network: &Network,
    plan: Arc<Plan>,
    profile: Profile,
    terms: Terms,
    wait: Wait,
    progress: impl FnMut(Progress),
) -> Result<Outcome, PutError> {
    let offer = Offer::new(&network.committee, profile, plan.root(), plan.piece_bytes(), terms);
    let mut effects = Vec::new();
    let machine = Dispersal::new(&network.committee, offer, wait, &mut effects)?;
    let (events, inbox) = mpsc::channel(EVENTS);
    let slots = (0..machine.places().len()).map(|_| SlotLink::default()).collect();
    let driver = Driver {
        net,
        network,
        machine,
        feed: Feed::new(plan)?,
        started: Instant::now(),
        events,
        inbox,
        slots,
        tasks: JoinSet::new(),
        root_task: None,
        progress,
    };
    driver.run(effects).await
}

/// An event of one attempt at a slot, or of the piece.
enum Event {
    Slot { slot: u16, attempt: u32, what: SlotEvent },
    Source(SourceError),
}

enum SlotEvent {
    Connected(mpsc::Sender<Order>),
    Reply(PutReply),
    Progress(u64),
    Streamed,
    Lost(String),
}

/// What a slot's writing half is told.
enum Order {
    Message(PutRequest),
    Stream(Follower),
    End,
}

/// The link to one slot.
#[derive(Default)]
struct SlotLink {
    /// Counts dials: events of earlier attempts are stale.
    attempt: u32,
    orders: Option<mpsc::Sender<Order>>,
    task: Option<AbortHandle>,
    reach: Reach,
}

/// How far into the piece a slot is, and how far it ever was: a slot that is tried again may begin before that.
#[derive(Default)]
struct Reach {
    now: u64,
    most: u64,
}

impl Reach {
    /// Moves to an offset, and says how many bytes are new.
    fn move_to(&mut self, offset: u64) -> u64 {
        self.now = offset;
        let new = offset.saturating_sub(self.most);
        self.most += new;
        new
    }

    /// Moves on by so many bytes, and says how many are new.
    fn move_by(&mut self, bytes: u64) -> u64 {
        self.move_to(self.now + bytes)
    }
}

struct Driver<'a, P> {
    net: &'a Net,
    network: &'a Network,
    machine: Dispersal<'a>,
    feed: Arc<Feed>,
    started: Instant,
    events: mpsc::Sender<Event>,
    inbox: mpsc::Receiver<Event>,
    slots: Vec<SlotLink>,
    tasks: JoinSet<()>,
    root_task: Option<AbortHandle>,
    progress: P,
}

impl<P: FnMut(Progress)> Driver<'_, P> {
    async fn run(mut self, mut effects: Vec<Effect>) -> Result<Outcome, PutError> {
        let mut root = self.feed.root();
        loop {
            for effect in std::mem::take(&mut effects) {
                if effect == Effect::Done {
                    return Ok(self.end().await);
                }
                self.perform(effect);
            }
            let tick = self.machine.next_tick().map(|due| self.started + due);
            let tick = tick.unwrap_or_else(|| Instant::now() + Duration::from_secs(60));
            let input = tokio::select! {
                event = self.inbox.recv() => match event.expect("the driver holds a sender") {
                    Event::Source(error) => return Err(error.into()),
                    Event::Slot { slot, attempt, what } => {
                        if attempt != self.slots[usize::from(slot)].attempt {
                            continue; // from a link that was given up
                        }
                        self.translate(slot, what)
                    }
                },
                Ok(()) = root.changed() => match *root.borrow_and_update() {
                    Some(root) => Input::Root(root),
                    None => continue,
                },
                () = tokio::time::sleep_until(tick.into()) => Input::Tick,
            };
            self.machine.step(self.started.elapsed(), input, &mut effects);
        }
    }

    fn translate(&mut self, slot: u16, what: SlotEvent) -> Input {
        match what {
            SlotEvent::Connected(orders) => {
                self.slots[usize::from(slot)].orders = Some(orders);
                Input::Connected(slot)
            }
            SlotEvent::Reply(reply) => Input::Reply(slot, reply),
            SlotEvent::Progress(bytes) => {
                let new = self.slots[usize::from(slot)].reach.move_by(bytes);
                (self.progress)(Progress::Sent(slot, new));
                Input::Progress(slot, bytes)
            }
            SlotEvent::Streamed => Input::Streamed(slot),
            SlotEvent::Lost(why) => Input::Lost(slot, why),
        }
    }

    fn perform(&mut self, effect: Effect) {
        match effect {
            Effect::Dial(slot) => self.dial(slot),
            Effect::Send(slot, message) => self.order(slot, Order::Message(message)),
            Effect::Stream(slot, from) => {
                // What was sent before, by an earlier put as well.
                let new = self.slots[usize::from(slot)].reach.move_to(from);
                (self.progress)(Progress::Sent(slot, new));
                self.order(slot, Order::Stream(self.feed.follow(from)));
            }
            Effect::End(slot) => self.order(slot, Order::End),
            Effect::FindRoot => self.find_root(),
            Effect::Close(slot) => {
                let link = &mut self.slots[usize::from(slot)];
                link.orders = None;
                if let Some(task) = link.task.take() {
                    task.abort();
                }
            }
            Effect::Done => unreachable!("handled where effects are taken"),
        }
    }

    fn dial(&mut self, slot: u16) {
        let link = &mut self.slots[usize::from(slot)];
        link.attempt += 1;
        let events = SlotEvents { slot, attempt: link.attempt, events: self.events.clone() };
        let place = self.machine.places()[usize::from(slot)];
        let Some((peer, addresses)) = self.network.reach(place) else {
            self.tasks
                .spawn(async move { events.send(SlotEvent::Lost("has no valid peer id".into())).await });
            return;
        };
        let net = self.net.clone();
        let small = self.feed.piece_bytes() <= EAGER_BYTES;
        let task = self.tasks.spawn(async move {
            let mut link = match net.link(peer, &addresses).await {
                Ok(link) => link,
                Err(error) => return events.send(SlotEvent::Lost(error.to_string())).await,
            };
            if let Err(error) = link.writer.queue(&Start::Put(())).await {
                return events.send(SlotEvent::Lost(error.to_string())).await;
            }
            let (orders, mailbox) = mpsc::channel(ORDERS);
            events.send(SlotEvent::Connected(orders)).await;
            if converse(&mut link, mailbox, small, &events).await {
                net.keep(link);
            }
        });
        self.slots[usize::from(slot)].task = Some(task);
    }

    fn order(&mut self, slot: u16, order: Order) {
        let Some(orders) = &self.slots[usize::from(slot)].orders else { return };
        // The mailbox holds more than the protocol ever sends, so it is full only if its task has ended, and
        // that task has reported why.
        let _ = orders.try_send(order);
    }

    /// Every slot may hold the piece already; its root is needed all the same.
    fn find_root(&mut self) {
        let (feed, events) = (self.feed.clone(), self.events.clone());
        let task = self.tasks.spawn(async move {
            if let Err(error) = feed.read_to_end().await {
                let _ = events.send(Event::Source(error)).await; // the driver may be done
            }
        });
        self.root_task = Some(task);
    }

    /// Lets the last messages go out. Slots that signed and are gone are given the certificate by a question.
    async fn end(mut self) -> Outcome {
        if let Some(task) = self.root_task.take() {
            task.abort();
        }
        for slot in &mut self.slots {
            slot.orders = None;
        }
        let outcome = self.machine.into_outcome();
        let ended = async { while self.tasks.join_next().await.is_some() {} };
        let given = async {
            if let Some(certificate) = &outcome.certificate {
                ask::give_to(self.net, self.network, certificate, outcome.departed.iter().copied()).await;
            }
        };
        let all = async { tokio::join!(ended, given) };
        if tokio::time::timeout(END_WINDOW, all).await.is_err() {
            tracing::info!("a slot did not take the certificate in time");
        }
        outcome
    }
}

/// Reports what happens on one attempt at a slot.
struct SlotEvents {
    slot: u16,
    attempt: u32,
    events: mpsc::Sender<Event>,
}

impl SlotEvents {
    async fn send(&self, what: SlotEvent) {
        let event = Event::Slot { slot: self.slot, attempt: self.attempt, what };
        let _ = self.events.send(event).await; // the driver may be done
    }
}

/// Reads and writes side by side, for a refusal may come while data still flows. Says whether the conversation has come
/// to its regular end.
async fn converse(link: &mut Link, mailbox: mpsc::Receiver<Order>, small: bool, events: &SlotEvents) -> bool {
    let reading = read(&mut link.reader, events);
    tokio::pin!(reading);
    tokio::select! {
        ended = write(&mut link.writer, mailbox, small, events) => {
            if !ended {
                reading.await;
            }
            ended
        }
        () = &mut reading => false,
    }
}

async fn read(reader: &mut FrameReader<LinkStream>, events: &SlotEvents) {
    loop {
        match reader.message::<PutReply>().await {
            Ok(Some(reply)) => events.send(SlotEvent::Reply(reply)).await,
            Ok(None) => return events.send(SlotEvent::Lost("closed the link".into())).await,
            Err(error) => return events.send(SlotEvent::Lost(error.to_string())).await,
        }
    }
}

/// Writes what is ordered; says whether the conversation has come to its regular end.
async fn write(
    writer: &mut FrameWriter<LinkStream>,
    mut mailbox: mpsc::Receiver<Order>,
    small: bool,
    events: &SlotEvents,
) -> bool {
    while let Some(order) = mailbox.recv().await {
        let done = match order {
            // What follows the opening of a small piece goes out with it.
            Order::Message(message) if mailbox.is_empty() => writer.message(&message).await,
            Order::Message(message) => writer.queue(&message).await,
            Order::End => return writer.flush().await.is_ok(),
            Order::Stream(follower) => match feed_slot(writer, follower, events).await {
                Ok(()) => {
                    events.send(SlotEvent::Streamed).await;
                    // What follows is Seal. Nobody waits for the root of a small piece, so it goes out with that.
                    if small { Ok(()) } else { writer.flush().await }
                }
                Err(FeedError::Link(error)) => Err(error),
                Err(FeedError::Source(error)) => {
                    let _ = events.events.send(Event::Source(error)).await; // the driver may be done
                    return false;
                }
            },
        };
        if let Err(error) = done {
            // A refusal that is still on its way explains more than the broken link: let the reader speak.
            tracing::debug!(slot = events.slot, %error, "could not send");
            return false;
        }
    }
    // The driver is done with this slot; if it is still to be heard, the reader does so.
    false
}

enum FeedError {
    Link(io::Error),
    Source(SourceError),
}

async fn feed_slot(
    writer: &mut FrameWriter<LinkStream>,
    mut follower: Follower,
    events: &SlotEvents,
) -> Result<(), FeedError> {
    while let Some(segment) = follower.next().await.map_err(FeedError::Source)? {
        writer.data(&segment).await.map_err(FeedError::Link)?;
        events.send(SlotEvent::Progress(segment.len() as u64)).await;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
