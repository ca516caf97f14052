use super::*;
use crate::clock::Clock;

const A: PeerIndex = PeerIndex(0);
const B: PeerIndex = PeerIndex(1);
const MINUTE: Duration = Duration::from_secs(60);

struct Line {
    links: Links,
    clock: Clock<Arrival>,
}

impl Line {
    fn new(seed: u64) -> Self {
        Self { links: Links::new(2, Chance::new(seed)), clock: Clock::default() }
    }

    /// Everything that arrives within a minute.
    fn run(&mut self) -> Vec<(PeerIndex, Signal)> {
        let mut seen = Vec::new();
        let end = self.clock.now() + MINUTE;
        loop {
            for (at, arrival) in self.links.posted() {
                self.clock.at(at, arrival);
            }
            let Some(arrival) = self.clock.next(end) else { return seen };
            let arrived = self.links.arrive(self.clock.now(), arrival);
            seen.extend(arrived.map(|(peer, _, signal)| (peer, signal)));
        }
    }

    fn connected(seed: u64) -> (Self, ConnectionId) {
        let mut line = Self::new(seed);
        let id = line.links.connect(Duration::ZERO, A, B, Protocol::Link);
        let seen = line.run();
        assert!(matches!(seen[..], [(B, Signal::Incoming(_)), (A, Signal::Connected)]), "{seen:?}");
        (line, id)
    }

    fn send(&mut self, id: ConnectionId, byte: u8) {
        self.links.send(self.clock.now(), A, id, Frame::Message(vec![byte].into()));
    }
}

fn bytes(seen: &[(PeerIndex, Signal)]) -> Vec<u8> {
    seen.iter()
        .filter_map(|(_, signal)| match signal {
            Signal::Frame(Frame::Message(bytes)) => Some(bytes[0]),
            _ => None,
        })
        .collect()
}

#[test]
fn frames_arrive_in_order_and_the_end_comes_last() {
    for seed in 0..20 {
        let (mut line, id) = Line::connected(seed);
        (0..50).for_each(|byte| line.send(id, byte));
        line.links.close(line.clock.now(), A, id);
        line.send(id, 99); // closed on this side
        let seen = line.run();
        assert_eq!(bytes(&seen), (0..50).collect::<Vec<_>>());
        assert!(matches!(seen.last(), Some((B, Signal::Lost))));
    }
}

#[test]
fn a_lost_frame_takes_all_that_follow_and_nobody_or_both_are_told() {
    let (mut broken, mut frozen) = (0, 0);
    for seed in 0..20 {
        let (mut line, id) = Line::connected(seed);
        line.send(id, 1);
        line.links.lose_one_in(Some(1));
        line.send(id, 2);
        line.links.lose_one_in(None);
        line.send(id, 3);
        let seen = line.run();
        assert_eq!(bytes(&seen), [1]);
        assert_eq!(line.links.lost_frames(), 2);
        match seen.iter().filter(|(_, signal)| matches!(signal, Signal::Lost)).count() {
            0 => frozen += 1,
            2 => broken += 1,
            told => panic!("{told} were told"),
        }
    }
    assert!(broken > 0 && frozen > 0);
}

#[test]
fn nothing_passes_a_partition() {
    let (mut line, id) = Line::connected(1);
    line.links.part(Some(vec![false, true]));
    line.send(id, 1);
    line.links.connect(line.clock.now(), B, A, Protocol::Ask);
    let seen = line.run();
    assert!(seen.iter().all(|(_, signal)| matches!(signal, Signal::Lost)), "{seen:?}");
    assert!(seen.iter().any(|(peer, _)| *peer == B), "the dial fails in time");
    line.links.part(None);
    line.links.connect(line.clock.now(), B, A, Protocol::Ask);
    assert_eq!(line.run().len(), 2);
}

#[test]
fn a_dead_process_is_noticed_and_a_dark_machine_is_not() {
    for (how, told) in [(Crash::Kill, 1), (Crash::PowerCut, 0)] {
        let (mut line, id) = Line::connected(1);
        line.links.crash(line.clock.now(), B, how);
        assert_eq!(line.run().len(), told, "{how:?}");
        line.send(id, 1);
        assert_eq!(line.run().len(), 0, "{how:?}");
        line.links.connect(line.clock.now(), A, B, Protocol::Link);
        assert!(matches!(line.run()[..], [(A, Signal::Lost)]), "{how:?}");
        line.links.restart(B);
        // Who still believes in the connection learns that there is none.
        line.send(id, 2);
        assert_eq!(line.run().len(), 1 - told, "{how:?}");
    }
}
