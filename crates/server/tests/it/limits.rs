//! What the server spends on its clients.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::thread;
use std::time::{Duration, Instant};

use holdfast_server::Limits;

use crate::world::World;

const SOON: Duration = Duration::from_millis(200);

/// Loopback, unless somebody says otherwise.
#[test]
fn nobody_else_reaches_it_by_default() {
    assert!(holdfast_server::LISTEN.ip().is_loopback());
}

#[test]
fn questions_beyond_the_gate_are_refused_at_once() {
    let world = World::with(Limits { questions_max: 2, ..Limits::default() });
    world.source.hold(true);
    thread::scope(|scope| {
        let held: Vec<_> = (0..2).map(|_| scope.spawn(|| world.get("/v1/status").status)).collect();
        // The two are at the gate when a third is refused.
        let refused = loop {
            let request = b"GET /v1/params HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
            let mut socket = world.raw(request);
            socket.set_read_timeout(Some(SOON)).unwrap();
            let mut answer = String::new();
            if socket.read_to_string(&mut answer).is_ok() {
                break answer;
            }
            // It came before one of the two, and takes its place.
        };
        assert!(refused.starts_with("HTTP/1.1 503 ") && refused.contains("server.busy"), "{refused}");
        assert!(refused.to_lowercase().contains("retry-after: 1\r\n"));
        assert!(world.get("/v1/openapi.json").status == 200, "what needs no question is answered");
        world.source.hold(false);
        for answer in held {
            let status = answer.join().unwrap();
            assert!(status == 200 || status == 503, "{status}");
        }
    });
    assert_eq!(world.get("/v1/status").status, 200);
}

#[test]
fn an_answer_that_takes_too_long_is_given_up() {
    let world = World::with(Limits { answer_window: SOON, questions_max: 1, ..Limits::default() });
    world.source.hold(true);
    assert_eq!(world.refused("/v1/status", 504), "server.late");
    // Its question still holds the place: giving up makes no room for more of the same.
    assert_eq!(world.refused("/v1/status", 503), "server.busy");
    world.source.hold(false);
    assert!((0..100).any(|_| {
        thread::sleep(Duration::from_millis(10));
        world.get("/v1/status").status == 200
    }));
}

/// How long the server keeps a connection on which nothing more is sent.
fn kept(world: &World, sent: &[u8]) -> (Duration, String) {
    let started = Instant::now();
    let answer = world.exchange(sent);
    (started.elapsed(), answer)
}

#[test]
fn connections_end_if_no_request_comes() {
    let world = World::with(Limits { head_window: SOON, body_window: SOON, ..Limits::default() });
    let whole = "GET /v1/status HTTP/1.1\r\nhost: x\r\n\r\n";
    for sent in ["", "GET /v1/sta", "GET /v1/status HTTP/1.1\r\nhost: x\r\n", whole] {
        let (time, answer) = kept(&world, sent.as_bytes());
        assert!((SOON..20 * SOON).contains(&time), "{sent:?}: {time:?} {answer}");
        assert_eq!(answer.starts_with("HTTP/1.1 200"), sent == whole, "{answer}");
    }
    let head = "POST /v1/transactions HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 9\r\n\r\n{";
    let (time, answer) = kept(&world, head.as_bytes());
    assert!((SOON..20 * SOON).contains(&time), "{time:?}");
    assert!(answer.starts_with("HTTP/1.1 408 ") && answer.contains("request.slow"), "{answer}");
}

#[test]
fn heads_are_bounded() {
    let world = World::new();
    let long = format!("GET /v1/status HTTP/1.1\r\nhost: x\r\nx: {}\r\n\r\n", "y".repeat(20_000));
    let many = format!("GET /v1/status HTTP/1.1\r\nhost: x\r\n{}\r\n", "x: y\r\n".repeat(100));
    let path = format!("GET /v1/blocks/{} HTTP/1.1\r\nhost: x\r\n\r\n", "9".repeat(20_000));
    for head in [long, many, path] {
        let answer = world.exchange(head.as_bytes());
        assert!(answer.starts_with("HTTP/1.1 431 ") || answer.starts_with("HTTP/1.1 414 "), "{answer}");
    }
}

#[test]
fn what_is_not_http_is_refused() {
    let world = World::new();
    for noise in [&b"\x16\x03\x01\x02\x00\x01\x00"[..], b"hello\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", &[0; 64]]
    {
        let answer = world.exchange(noise);
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 400 "), "{answer}");
    }
    // HTTP/2 was not asked for here.
    let answer = world.exchange(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
    assert!(!answer.contains("200 OK"), "{answer}");
    assert_eq!(world.get("/v1/status").status, 200);
}

#[test]
fn connections_beyond_the_limit_are_closed() {
    let world = World::with(Limits { connections_max: 2, ..Limits::default() });
    let idle: Vec<_> = (0..2).map(|_| world.raw(b"")).collect();
    let mut answer = String::new();
    let _ = world.raw(b"").read_to_string(&mut answer);
    assert!(answer.starts_with("HTTP/1.1 503 ") && answer.contains("retry-after: 1"), "{answer}");
    drop(idle);
    let answered = (0..100).any(|_| {
        thread::sleep(Duration::from_millis(10));
        world.exchange(b"GET /v1/status HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").contains("200 OK")
    });
    assert!(answered);
}

#[test]
fn a_stop_lets_answers_under_way_end_and_cuts_off_the_rest() {
    let limits = Limits { stop_window: 5 * SOON, ..Limits::default() };
    let mut world = World::with(limits);
    let mut idle = world.raw(b"GET /v1/sta");
    world.source.hold(true);
    let mut asked = world.raw(b"GET /v1/status HTTP/1.1\r\nhost: x\r\n\r\n");
    thread::sleep(SOON / 4);
    let source = world.source.clone();
    let release = thread::spawn(move || {
        thread::sleep(SOON / 4);
        source.hold(false);
    });
    let started = Instant::now();
    world.stop();
    assert!(started.elapsed() < 25 * SOON);
    release.join().unwrap();
    let mut answer = String::new();
    let _ = asked.read_to_string(&mut answer);
    assert!(answer.starts_with("HTTP/1.1 200 OK"), "{answer}");
    let mut rest = Vec::new();
    let _ = idle.read_to_end(&mut rest);
    assert!(idle.write_all(b"x").is_err() || rest.is_empty());
    assert!(TcpStream::connect(world.address).is_err(), "nobody listens");
}
