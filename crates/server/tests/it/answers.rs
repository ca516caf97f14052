//! What each route says, and what it says if there is nothing to say.

use std::sync::atomic::Ordering;

use holdfast_api::hex;
use holdfast_core::codec;
use holdfast_core::id::NodeId;
use holdfast_ledger::account::Account;
use holdfast_ledger::testing;
use holdfast_proofs::light::{LightClient, SignedHeader};
use holdfast_proofs::row::{RowKey, RowProof, RowProofError, Table};
use holdfast_proofs::testing::member;
use holdfast_proofs::vote::Finality;
use serde_json::{Value, json};

use crate::world::{World, order, rich};

/// An id that nothing has.
fn nothing() -> String {
    "ab".repeat(32)
}

#[test]
fn the_status_is_that_of_the_last_block() {
    let world = World::new();
    assert_eq!(world.object("/v1/status")["tip"]["height"], 0);
    world.source.block_of(Vec::new());
    let status = world.object("/v1/status");
    assert_eq!(status["schema"], "holdfast/status/1");
    assert_eq!(
        status["network"],
        world.source.with(|chain| chain.test.network.genesis.network().to_string())
    );
    assert_eq!(status["tip"]["height"], 1);
    assert_eq!(status["tip"]["time"], "1970-01-01T00:16:41.000Z");
    assert_eq!(status["tip"]["time_ms"], 1_001_000);
    assert_eq!(status["tip"]["block"], world.object("/v1/blocks/1")["header"]["block"]);
    assert_eq!([&status["earliest"], &status["epoch"], &status["mempool_transactions"]], [0, 0, 0]);
    assert_eq!(status["syncing"], false);
}

#[test]
fn params_and_validators_are_those_in_force() {
    let world = World::new();
    let params = world.object("/v1/params");
    assert_eq!(params["height"], 0);
    assert_eq!(params["params"]["price_byte_epoch"], "1");
    assert_eq!(params["params"]["profiles"], json!([{"name": "copy4", "k": 1, "n": 4, "q": 3}]));
    let validators = world.object("/v1/validators");
    assert_eq!(validators["weight"], 4);
    assert_eq!(validators["id"], world.object("/v1/blocks/latest")["header"]["next_validators"]);
    assert_eq!(validators["validators"].as_array().unwrap().len(), 4);
}

#[test]
fn blocks_hold_their_transactions_and_what_became_of_them() {
    let world = World::new();
    let genesis = world.object("/v1/blocks/0");
    assert_eq!([&genesis["finality"], &genesis["transaction_count"]], [&Value::Null, &json!(0)]);
    let id = world.source.send(&testing::rich(), world.transfer(7)).to_string();
    let block = world.object("/v1/blocks/1");
    assert_eq!(block, world.object("/v1/blocks/latest"));
    assert_eq!(block["header"]["parent"], genesis["header"]["block"]);
    assert_eq!([&block["transaction_count"], &block["event_count"]], [1, 2]);
    let shown = &block["transactions"][0];
    assert_eq!(shown["transaction"]["id"], id);
    assert_eq!(shown["transaction"]["sender"], rich().to_string());
    assert_eq!(shown["transaction"]["payload"]["kind"], "transfer");
    assert_eq!(shown["transaction"]["payload"]["amount"], "7");
    assert_eq!(shown["receipt"]["failure"], Value::Null);
    assert_eq!(shown["receipt"]["events"][0]["kind"], "transferred");

    for height in ["2", "18446744073709551615"] {
        assert_eq!(world.refused(&format!("/v1/blocks/{height}"), 404), "block.unknown");
    }
    for height in ["x", "-1", "+1", "1.0", "Latest", "18446744073709551616", "%20", "%ff"] {
        assert_eq!(world.refused(&format!("/v1/blocks/{height}"), 400), "request.parameter", "{height}");
    }
    world.source.prune(1);
    let pruned = world.get("/v1/blocks/0");
    assert_eq!(pruned.problem(410), "block.pruned");
    assert_eq!(pruned.json()["facts"], json!({"earliest": 1}));
    assert_eq!(world.object("/v1/status")["earliest"], 1);
}

#[test]
fn transactions_are_found_where_they_stand() {
    let world = World::new();
    let (done, failed) = (world.transfer(7), world.transfer(u128::MAX));
    let done = world.source.send(&testing::rich(), done).to_string();
    let failed = world.source.send(&testing::rich(), failed).to_string();
    let found = world.object(&format!("/v1/transactions/{done}"));
    assert_eq!([&found["decided"]["height"], &found["decided"]["index"]], [1, 0]);
    assert_eq!(found["decided"]["block"], world.object("/v1/blocks/1")["header"]["block"]);
    // Whoever has the bytes has the transaction.
    let bytes = hex::bytes(found["transaction"]["encoded"].as_str().unwrap()).unwrap();
    assert_eq!(holdfast_ledger::transaction::Transaction::from_bytes(&bytes).unwrap().to_bytes(), bytes);
    let found = world.object(&format!("/v1/transactions/{}", failed.to_uppercase()));
    assert_eq!(found["decided"]["receipt"]["failure"]["reason"], "failure.balance");
    assert_eq!(found["decided"]["receipt"]["events"], json!([]));
    let unknown = format!("/v1/transactions/{}", nothing());
    assert_eq!(world.refused(&unknown, 404), "transaction.unknown");
    assert_eq!(world.refused("/v1/transactions/abcd", 400), "request.parameter");
}

#[test]
fn accounts_are_named_by_text_and_never_unknown() {
    let world = World::new();
    world.source.send(&testing::rich(), world.transfer(7));
    let account = world.object(&format!("/v1/accounts/{}", rich()));
    assert_eq!([&account["height"], &account["nonce"]], [1, 1]);
    assert_eq!(account["account"], rich().to_string());
    assert_eq!(account["balance"], "999999999999999999993");
    let poor = holdfast_ledger::account::AccountId::of(testing::owner(200).public());
    assert_eq!(world.object(&format!("/v1/accounts/{poor}"))["balance"], "0");
    for other in ["hf1", "x", &nothing(), &rich().to_string().to_uppercase()] {
        assert_eq!(world.refused(&format!("/v1/accounts/{other}"), 400), "request.parameter", "{other}");
    }
}

#[test]
fn orders_are_there_until_they_end() {
    let world = World::new();
    let id = world.source.send(&testing::rich(), order(1)).to_string();
    let found = world.object(&format!("/v1/orders/{id}"));
    assert_eq!(found["order"]["id"], id);
    assert_eq!(
        [&found["order"]["piece_bytes"], &found["order"]["until"], &found["order"]["ends"]],
        [1000, 2, 2]
    );
    assert_eq!([&found["order"]["escrow"], &found["order"]["active"]], [&json!("8000"), &Value::Null]);
    assert_eq!(found["order"]["owner"], rich().to_string());
    assert_eq!(world.refused(&format!("/v1/orders/{}", nothing()), 404), "order.unknown");
    assert_eq!(world.refused("/v1/orders/1", 400), "request.parameter");
}

#[test]
fn nodes_are_shown_with_owner_and_bond() {
    let world = World::new();
    let id = member(2).node;
    let found = world.object(&format!("/v1/nodes/{id}"));
    let node = &found["node"];
    assert_eq!(node["member"]["node"], id.to_string());
    assert_eq!(
        node["owner"],
        holdfast_ledger::account::AccountId::of(testing::owner(2).public()).to_string()
    );
    assert_eq!([&node["roles"], &node["status"]], [&json!(["provider", "validator"]), &json!("active")]);
    assert_eq!([&node["bonded"], &node["unbonding"]], [&json!("0"), &json!([])]);
    assert_eq!(world.refused(&format!("/v1/nodes/{}", nothing()), 404), "node.unknown");
    assert_eq!(world.refused("/v1/nodes/zz", 400), "request.parameter");
}

/// A client that trusts genesis checks a balance that a stranger told it.
#[test]
fn rows_prove_themselves_to_whoever_trusts_genesis() {
    let world = World::new();
    world.source.send(&testing::rich(), world.transfer(7));
    let (key, absent) =
        (RowKey::new(Table::ACCOUNTS, Account::key(&rich())), RowKey::new(Table::ACCOUNTS, &[9; 32]));
    let ask = |key: &RowKey| {
        let answer = world.object(&format!("/v1/rows/{}", holdfast_core::id::hex(key.as_bytes())));
        let bytes = |value: &Value| hex::bytes(value.as_str().unwrap()).unwrap();
        let proof: RowProof = codec::decode(&bytes(&answer["proof"]), 1 << 14).unwrap();
        let header = codec::decode(&bytes(&answer["header"]["encoded"]), 1 << 10).unwrap();
        let finality = Finality::from_bytes(&bytes(&answer["finality"]["encoded"])).unwrap();
        (answer["row"].as_str().map(|row| hex::bytes(row).unwrap()), proof, SignedHeader { header, finality })
    };
    let mut client = world.source.with(|chain| {
        LightClient::of_genesis(&chain.test.network.genesis, &chain.test.network.proofs).unwrap()
    });

    let (row, proof, signed) = ask(&key);
    let header = client.check(signed).unwrap();
    let root = &header.header().state;
    assert_eq!(proof.verify(root, &key, row.as_deref()), Ok(()));
    let account: Account = codec::decode(&row.unwrap(), 64).unwrap();
    assert_eq!((account.balance.0, account.nonce), (999_999_999_999_999_999_993, 1));
    let richer = codec::encode(&Account { nonce: 0, ..account });
    assert_eq!(proof.verify(root, &key, Some(&richer)), Err(RowProofError::Root));

    let (row, proof, signed) = ask(&absent);
    let header = client.check(signed).unwrap();
    assert_eq!(row, None);
    assert_eq!(proof.verify(&header.header().state, &absent, None), Ok(()));

    for other in ["", "0", "zz", &"00".repeat(65)] {
        let reason = if other.is_empty() { ("route.unknown", 404) } else { ("request.parameter", 400) };
        assert_eq!(world.refused(&format!("/v1/rows/{other}"), reason.1), reason.0, "{other}");
    }
}

#[test]
fn what_is_not_there_says_so() {
    let world = World::new();
    for path in
        ["/", "/v1", "/v1/", "/v2/status", "/v1/status/", "/v1/blocks", "/v1/blocks/0/x", "//v1/status"]
    {
        assert_eq!(world.refused(path, 404), "route.unknown", "{path}");
    }
    let answer = world.exchange(b"DELETE /v1/status HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
    assert!(answer.starts_with("HTTP/1.1 405 ") && answer.contains("route.method"), "{answer}");
    assert!(answer.to_lowercase().contains("\r\nallow: get,head\r\n"), "{answer}");
    let answer = world.get("/v1/transactions");
    assert_eq!((answer.problem(405), answer.header("allow")), ("route.method".into(), Some("POST")));
    for query in ["?max=0", "?max=257", "?max=x", "?max=1&max=2", "?after=1", "?other=1", "?max=99999999999"]
    {
        assert_eq!(world.refused(&format!("/v1/nodes{query}"), 400), "request.parameter", "{query}");
    }
    let paths = ["committee?max=0", "events?max=257", "blocks/0?max=0", "events?from=1", "events?from=1.x"];
    for path in paths {
        assert_eq!(world.refused(&format!("/v1/{path}"), 400), "request.parameter", "{path}");
    }
}

#[test]
fn head_is_answered_like_get_without_the_body() {
    let world = World::new();
    let answer = world.exchange(b"HEAD /v1/status HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
    assert!(answer.starts_with("HTTP/1.1 200 OK") && answer.ends_with("\r\n\r\n"), "{answer}");
}

/// Whatever the node's own trouble is, strangers learn nothing of it.
#[test]
fn failures_of_the_node_stay_in_its_log() {
    let world = World::new();
    let paths = [
        "/v1/status".to_owned(),
        "/v1/params".into(),
        "/v1/committee".into(),
        "/v1/validators".into(),
        "/v1/nodes".into(),
        format!("/v1/nodes/{}", NodeId::new([1; 32])),
        "/v1/blocks/0".into(),
        "/v1/blocks/latest".into(),
        format!("/v1/transactions/{}", nothing()),
        format!("/v1/accounts/{}", rich()),
        format!("/v1/accounts/{}/history", rich()),
        format!("/v1/accounts/{}/orders", rich()),
        format!("/v1/orders/{}", nothing()),
        "/v1/events".into(),
        "/v1/events?from=0.0".into(),
        "/v1/events/stream".into(),
        "/v1/rows/02".into(),
    ];
    for knob in [&world.source.broken, &world.source.panics] {
        knob.store(true, Ordering::Relaxed);
        for path in &paths {
            let answer = world.get(path);
            assert_eq!(answer.problem(500), "server.internal", "{path}");
            assert!(!answer.text.contains("secret") && !answer.text.contains("test"), "{}", answer.text);
        }
        knob.store(false, Ordering::Relaxed);
    }
    assert_eq!(world.object("/v1/status")["tip"]["height"], 0);
}
