//! The event stream.

use std::io::Read;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, Instant};

use holdfast_ledger::testing;
use holdfast_server::Limits;
use serde_json::json;

use crate::world::{Told, World};

/// All positions so far, in order.
fn positions(world: &World) -> Vec<String> {
    let page = world.object("/v1/events?max=256");
    let events = page["events"].as_array().unwrap();
    events.iter().map(|event| event["position"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn events_are_told_in_order_as_they_happen() {
    let world = World::new();
    world.source.send(&testing::rich(), world.transfer(1));
    let mut stream = world.stream("?from=0.0", None).unwrap();
    let (id, kind, data) = stream.event();
    assert_eq!((id.as_str(), kind.as_str()), ("1.0", "transferred"));
    assert_eq!(data, world.object("/v1/events")["events"][0]);
    assert_eq!(stream.event().0, "1.1");
    for amount in 2..=4 {
        world.source.send(&testing::rich(), world.transfer(amount));
        assert_eq!(stream.positions(2), [format!("{amount}.0"), format!("{amount}.1")]);
    }
}

#[test]
fn a_stream_without_a_beginning_begins_now() {
    let world = World::new();
    world.source.send(&testing::rich(), world.transfer(1));
    let mut stream = world.stream("", None).unwrap();
    world.source.send(&testing::rich(), world.transfer(2));
    assert_eq!(stream.positions(2), ["2.0", "2.1"]);
    let mut ahead = world.stream("?from=4.1", None).unwrap();
    for amount in 3..=4 {
        world.source.send(&testing::rich(), world.transfer(amount));
    }
    assert_eq!(ahead.positions(1), ["4.1"]);
}

/// Blocks come while a reader is cut off again and again, at every place.
#[test]
fn a_reader_that_comes_back_misses_nothing_and_hears_nothing_twice() {
    let world = World::with(Limits { stream_page: 3, ..Limits::default() });
    const BLOCKS: u128 = 20;
    let heard = thread::scope(|scope| {
        scope.spawn(|| {
            for amount in 1..=BLOCKS {
                world.source.send(&testing::rich(), world.transfer(amount));
                thread::sleep(Duration::from_millis(5));
            }
        });
        let mut heard: Vec<String> = Vec::new();
        let mut takes = [1, 2, 3, 4, 5, 7].into_iter().cycle();
        while heard.len() < 40 {
            let last = heard.last().cloned();
            // What was seen counts more than where the first stream began.
            let mut stream = world.stream("?from=0.0", last.as_deref()).unwrap();
            let take = takes.next().unwrap_or(1).min(40 - heard.len());
            heard.extend(stream.positions(take));
        }
        heard
    });
    assert_eq!(heard, positions(&world));
}

#[test]
fn a_quiet_stream_says_that_it_is_alive() {
    let world = World::with(Limits { heartbeat: Duration::from_millis(20), ..Limits::default() });
    let mut stream = world.stream("", None).unwrap();
    assert_eq!([stream.next(), stream.next()], [Some(Told::Heartbeat), Some(Told::Heartbeat)]);
    world.source.block_of(Vec::new());
    assert_eq!(stream.event().1, "rewarded");
    assert_eq!(stream.next(), Some(Told::Heartbeat));
}

#[test]
fn positions_that_are_none_are_refused() {
    let world = World::new();
    for other in ["1", "x", "1.x", "1.2.3"] {
        assert_eq!(world.stream("", Some(other)).err().unwrap().problem(400), "request.parameter");
        let query = format!("?from={other}");
        assert_eq!(world.stream(&query, None).err().unwrap().problem(400), "request.parameter");
    }
    // The last positions there are have nothing behind them, and that is no error.
    for last in ["5.4294967295", "18446744073709551615.4294967295"] {
        drop(world.stream("", Some(last)).unwrap());
    }
}

#[test]
fn events_that_are_not_kept_are_said_to_be_gone() {
    let world = World::new();
    for _ in 0..3 {
        world.source.block_of(Vec::new());
    }
    let mut stream = world.stream("?from=1.0", None).unwrap();
    assert_eq!(stream.positions(3), ["1.0", "2.0", "3.0"]);
    world.source.prune(3);
    let refused = world.stream("?from=1.0", None).err().unwrap();
    assert_eq!(refused.problem(410), "block.pruned");
    assert_eq!(refused.json()["facts"], json!({"earliest": 3}));
    assert_eq!(world.stream("", Some("2.0")).err().unwrap().problem(410), "block.pruned");
}

#[test]
fn a_stream_that_fails_says_so_and_ends() {
    let world = World::new();
    let mut stream = world.stream("", None).unwrap();
    world.source.broken.store(true, Ordering::Relaxed);
    world.source.block_of(Vec::new());
    let (id, kind, problem) = stream.event();
    assert_eq!((id.as_str(), kind.as_str()), ("", "problem"), "it has no position");
    assert_eq!(problem["reason"], "server.internal");
    assert_eq!(stream.next(), None);
}

#[test]
fn the_number_of_streams_is_bounded() {
    let world = World::with(Limits { streams_max: 2, ..Limits::default() });
    let one = world.stream("", None).unwrap();
    let _other = world.stream("", None).unwrap();
    let refused = world.stream("", None).err().unwrap();
    assert_eq!(refused.problem(503), "server.streams");
    assert_eq!(refused.header("retry-after"), Some("1"));
    drop(one);
    let freed = wait_for(|| world.stream("", None).is_ok());
    assert!(freed, "a reader that goes makes room");
}

/// A reader that takes nothing costs one page and what sockets hold, and its place only for a while.
#[test]
fn a_reader_that_takes_nothing_is_dropped() {
    let window = Duration::from_millis(300);
    let world = World::with(Limits { streams_max: 1, reader_window: window, ..Limits::default() });
    world.source.endless.store(true, Ordering::Relaxed);
    let mut slow = world.raw(b"GET /v1/events/stream?from=1.0 HTTP/1.1\r\nhost: x\r\n\r\n");
    assert!(wait_for(|| world.source.pages.load(Ordering::Relaxed) > 1), "it begins");
    assert_eq!(world.stream("", None).err().unwrap().problem(503), "server.streams");
    assert!(wait_for(|| world.stream("?from=1.0", None).is_ok()), "its place is free again");
    // What was sent before is still there to be read, and then no more.
    let mut rest = Vec::new();
    let _ = slow.read_to_end(&mut rest);
    assert!(rest.starts_with(b"HTTP/1.1 200 OK"));
    assert!(rest.len() < 64 << 20, "events were read for it without end: {} bytes", rest.len());
}

#[test]
fn a_reader_that_takes_everything_may_take_long() {
    let window = Duration::from_millis(50);
    let world = World::with(Limits { reader_window: window, heartbeat: window, ..Limits::default() });
    let mut stream = world.stream("", None).unwrap();
    thread::sleep(4 * window);
    world.source.block_of(Vec::new());
    assert_eq!(stream.positions(1), ["1.0"]);
}

#[test]
fn a_stop_ends_streams() {
    let mut world = World::new();
    let mut streams = [world.stream("", None).unwrap(), world.stream("?from=0.0", None).unwrap()];
    let started = Instant::now();
    world.stop();
    assert!(started.elapsed() < Duration::from_secs(4), "it did not wait for the window");
    for stream in &mut streams {
        assert_eq!(stream.next(), None);
    }
}

/// Whether something becomes true within seconds.
fn wait_for(mut condition: impl FnMut() -> bool) -> bool {
    (0..1000).any(|_| {
        condition() || {
            thread::sleep(Duration::from_millis(10));
            false
        }
    })
}
