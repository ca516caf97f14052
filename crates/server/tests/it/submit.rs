//! Transactions that are sent, and all the reasons why one is not taken.

use std::sync::atomic::Ordering;

use holdfast_api::DAG_CBOR;
use holdfast_core::codec;
use holdfast_core::id::{Amount, hex};
use holdfast_ledger::account::AccountId;
use holdfast_ledger::block::Height;
use holdfast_ledger::params::Params;
use holdfast_ledger::testing;
use holdfast_ledger::transaction::{Body, Transaction, TransactionId};
use serde_json::{Value, json};

use crate::source::MemorySource;
use crate::world::World;
use holdfast_server::Limits;

const JSON: &str = "application/json";

/// A body of the rich account, which a test then changes.
fn body(world: &World) -> Body {
    world.source.transaction(&testing::rich(), world.transfer(5)).body().clone()
}

fn signed(world: &World, body: Body) -> Transaction {
    let network = world.source.with(|chain| chain.test.network.genesis.network());
    Transaction::sign(body, &network, &testing::rich())
}

fn as_json(bytes: &[u8]) -> Vec<u8> {
    json!({"transaction": hex(bytes)}).to_string().into_bytes()
}

#[test]
fn a_transaction_waits_and_then_is_decided() {
    for in_json in [false, true] {
        let world = World::new();
        let bytes = signed(&world, body(&world)).to_bytes();
        let send = || if in_json { world.post(JSON, &as_json(&bytes)) } else { world.post(DAG_CBOR, &bytes) };
        let accepted = send();
        assert_eq!(accepted.status, 202, "{accepted:?}");
        let id = accepted.json()["transaction"].as_str().unwrap().to_owned();
        assert_eq!(id, id_of(&bytes));
        let place = accepted.header("location").unwrap();
        assert_eq!(place, format!("/v1/transactions/{id}"));
        assert_eq!(world.object(place)["decided"], Value::Null);
        assert_eq!(world.object("/v1/status")["mempool_transactions"], 1);
        // Sending it again changes nothing.
        assert_eq!(send().json(), accepted.json());
        assert_eq!(world.object("/v1/status")["mempool_transactions"], 1);

        world.source.decide();
        assert_eq!(world.object(place)["decided"]["height"], 1);
        let again = send();
        assert_eq!(again.problem(409), "transaction.nonce");
        assert_eq!(again.json()["facts"], json!({"expected": 1, "found": 0}));
    }
}

fn id_of(bytes: &[u8]) -> String {
    let transaction = Transaction::from_bytes(bytes).unwrap();
    TransactionId::new(codec::digest(&transaction)).to_string()
}

/// Sends a transaction that was changed, and answers why it was refused.
fn refused(world: &World, status: u16, change: impl FnOnce(&mut Body)) -> (String, Value) {
    let mut body = body(world);
    change(&mut body);
    let answer = world.post(DAG_CBOR, &signed(world, body).to_bytes());
    (answer.problem(status), answer.json()["facts"].clone())
}

#[test]
fn each_reason_to_refuse_has_a_name() {
    let world = World::of(MemorySource::new(Params::default()), Limits::default());
    let (reason, facts) = refused(&world, 409, |body| body.nonce = 3);
    assert_eq!((reason.as_str(), facts), ("transaction.nonce", json!({"expected": 0, "found": 3})));
    let (reason, facts) = refused(&world, 422, |body| body.valid_until = Height(0));
    assert_eq!((reason.as_str(), facts), ("transaction.expired", json!({"until": 0})));
    let (reason, facts) = refused(&world, 402, |body| body.fee = Amount(3));
    assert_eq!((reason.as_str(), &facts["offered"]), ("transaction.fee", &json!("3")));
    assert!(facts["needed"].as_str().unwrap().parse::<u128>().unwrap() > 3);
    let (reason, facts) = refused(&world, 402, |body| body.fee = Amount(u128::MAX));
    assert_eq!((reason.as_str(), facts), ("transaction.balance", Value::Null));

    let mut other = signed(&world, body(&world));
    other.body.sender = AccountId::of(testing::owner(1).public());
    let answer = world.post(DAG_CBOR, &other.to_bytes());
    assert_eq!(answer.problem(422), "transaction.signature");
}

#[test]
fn a_full_mempool_asks_to_come_again() {
    let world = World::new();
    for amount in 1..=3 {
        let mut body = body(&world);
        body.payload = world.transfer(amount);
        let answer = world.post(DAG_CBOR, &signed(&world, body).to_bytes());
        if amount < 3 {
            assert_eq!(answer.status, 202);
        } else {
            assert_eq!(answer.problem(503), "mempool.full");
            assert_eq!(answer.header("retry-after"), Some("1"));
        }
    }
    world.source.broken.store(true, Ordering::Relaxed);
    let answer = world.post(DAG_CBOR, &signed(&world, body(&world)).to_bytes());
    assert_eq!(answer.problem(500), "server.internal");
}

#[test]
fn bodies_that_are_no_transaction_are_refused() {
    let world = World::new();
    let bytes = signed(&world, body(&world)).to_bytes();
    let mut longer = bytes.clone();
    longer.push(0);
    for other in [&[][..], &[0xff], b"{}", &bytes[1..], &bytes[..bytes.len() - 1], &longer, &[0x82; 16_320]] {
        assert_eq!(world.post(DAG_CBOR, other).problem(400), "transaction.malformed");
        assert_eq!(world.post(JSON, &as_json(other)).problem(400), "transaction.malformed");
    }
    let texts = [
        "",
        "[]",
        "null",
        "{}",
        "{\"transaction\": 5}",
        "{\"transaction\": \"0\"}",
        "{\"transaction\": \"zz\"}",
        "{\"transaction\": \"00\", \"other\": 1}",
        "{\"transaction\": \"00\"} x",
        "{\"transaction\"",
    ];
    for text in texts {
        assert_eq!(world.post(JSON, text.as_bytes()).problem(400), "request.body", "{text}");
    }
    assert_eq!(world.post(JSON, &[b'['; 20_000]).problem(400), "request.body", "deep nesting ends somewhere");
    for media_type in ["text/plain", "application/cbor", "", "application/jsonx", "*/*"] {
        assert_eq!(world.post(media_type, &bytes).problem(415), "request.media_type", "{media_type}");
    }
    assert_eq!(world.post("Application/JSON; charset=utf-8", &as_json(&bytes)).status, 202);
}

#[test]
fn bodies_longer_than_any_transaction_are_not_read() {
    let world = World::new();
    for (media_type, max) in [(DAG_CBOR, 16_320), (JSON, 32_896)] {
        // It says so, and is refused before a byte of it is there.
        let head = format!(
            "POST /v1/transactions HTTP/1.1\r\nhost: x\r\ncontent-type: {media_type}\r\ncontent-length: {}\r\n\r\n",
            max + 1
        );
        let answer = world.exchange(head.as_bytes());
        assert!(answer.starts_with("HTTP/1.1 413 ") && answer.contains("request.too_large"), "{answer}");
        // It does not say so.
        let head = format!(
            "POST /v1/transactions HTTP/1.1\r\nhost: x\r\ncontent-type: {media_type}\r\n\
             transfer-encoding: chunked\r\nconnection: close\r\n\r\n{:x}\r\n",
            max + 1
        );
        let body = [head.as_bytes(), &vec![b'['; max + 1], b"\r\n0\r\n\r\n"].concat();
        let answer = world.exchange(&body);
        assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
        let longest = vec![b'['; max];
        assert_eq!(world.post(media_type, &longest).status, 400, "the longest is read");
    }
}
