//! The objects of the API as JSON: what programs out there rely on, kept in `testdata`.
//!
//! `HOLDFAST_WRITE=1` writes the files anew. A changed meaning needs a new number in the object's `schema`.

#![allow(clippy::unwrap_used)] // helpers outside of test functions are test code as well

mod samples;

use std::fs;
use std::path::Path;

use holdfast_api::event::{Event, EventAt, EventSchema};
use holdfast_api::payload::Payload;
use holdfast_api::position::Position;
use holdfast_api::problem::{Problem, Reason};
use holdfast_api::transaction::{Decided, Failure, Transaction, TransactionAnswer, TransactionSchema};
use holdfast_api::{account, block, committee, node, order, params, row, status};
use holdfast_core::id::Amount;
use holdfast_ledger::block::{BlockTime, Height};
use holdfast_ledger::{receipt, stake::Bond};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

/// Objects by name, each of which is also read again.
#[derive(Default)]
struct Golden(Map<String, Value>);

impl Golden {
    fn add<T: Serialize + DeserializeOwned + PartialEq + std::fmt::Debug>(&mut self, name: &str, object: &T) {
        let value = serde_json::to_value(object).unwrap();
        assert_eq!(&serde_json::from_value::<T>(value.clone()).unwrap(), object, "{name}");
        assert!(self.0.insert(name.to_owned(), value).is_none(), "{name} is there twice");
    }

    fn check(self, file: &str) {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata").join(file);
        let found = json!({"version": 1, "objects": self.0});
        if std::env::var_os("HOLDFAST_WRITE").is_some() {
            fs::write(&path, format!("{found:#}\n")).unwrap();
        }
        let kept: Value = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
        for (name, object) in kept["objects"].as_object().unwrap() {
            assert_eq!(found["objects"].get(name), Some(object), "{file}: {name}");
        }
        assert_eq!(found, kept, "{file}: there are objects that are not in it");
    }
}

#[test]
fn payloads_are_what_they_were() {
    let mut golden = Golden::default();
    for payload in samples::payloads() {
        let payload = Payload::from(&payload);
        let value = serde_json::to_value(&payload).unwrap();
        let action = value.pointer("/action/kind").or(value.pointer("/offence")).and_then(Value::as_str);
        let name = [value["kind"].as_str(), action].into_iter().flatten().collect::<Vec<_>>().join("/");
        golden.add(&name, &payload);
    }
    assert_eq!(golden.0.len(), 18, "14 payloads, one of them with four actions and one with two offences");
    golden.check("payloads.json");
}

#[test]
fn events_are_what_they_were() {
    let mut golden = Golden::default();
    for event in samples::events() {
        let event = Event::from(&event);
        assert_eq!(serde_json::to_value(&event).unwrap()["kind"], event.kind());
        golden.add(event.kind(), &event);
    }
    assert_eq!(golden.0.len(), 11);
    golden.check("events.json");
}

#[test]
fn failures_are_what_they_were() {
    let mut golden = Golden::default();
    for failure in receipt::Failure::ALL {
        golden.add(&failure.number().to_string(), &Failure::from(failure));
    }
    golden.check("failures.json");
}

#[test]
fn problems_are_what_they_were() {
    let mut golden = Golden::default();
    for reason in Reason::ALL {
        let problem = Problem::new(*reason, reason.meaning().trim());
        golden.add(reason.text(), &problem);
    }
    golden.add("with facts", &Problem::new(Reason::TransactionNonce, "nonce 2").with("expected", 3));
    golden.check("problems.json");
}

#[test]
fn objects_are_what_they_were() {
    let samples::Sample { chain, executed, finality, order: id, found } = samples::chain();
    let mut golden = Golden::default();
    let state = chain.state();
    let (header, height) = (chain.ledger.header(), chain.ledger.header().height);
    let checked = &executed.block().transactions[0];
    let receipt = &executed.receipts().transactions[0];

    let header_shown = block::Header::from(header);
    golden.add("header", &header_shown);
    golden.add("finality", &block::Finality::from(&finality));
    golden.add(
        "block",
        &block::Block {
            schema: block::BlockSchema,
            header: header_shown,
            finality: Some((&finality).into()),
            transaction_count: 1,
            event_count: 2,
            transactions: vec![block::BlockTransaction {
                index: 0,
                transaction: checked.transaction().into(),
                receipt: receipt.into(),
            }],
            next: None,
        },
    );
    let transaction = Transaction::from(checked.transaction());
    assert_eq!(transaction.id, checked.id());
    let decided = Some(Decided::new(header, 0, receipt));
    golden.add("transaction", &TransactionAnswer { schema: TransactionSchema, transaction, decided });
    let position = Position { height, index: 0 };
    let event = (&receipt.events[0]).into();
    let at = EventAt { schema: EventSchema, position, transaction: Some(checked.id()), event };
    golden.add("event", &at);
    golden.add(
        "status",
        &status::Status {
            schema: status::StatusSchema,
            version: "0.0.0".into(),
            network: chain.test.network.genesis.network(),
            tip: status::Tip::of(header),
            earliest: Height(0),
            epoch: holdfast_core::id::Epoch(0),
            committee: chain.test.network.committee.id(),
            syncing: false,
            mempool_transactions: 3,
        },
    );
    let owner = checked.body().sender;
    let balance = Amount(1_000_000_000_000_000_000_000);
    let schema = account::AccountSchema;
    golden.add("account", &account::Account { schema, height, account: owner, balance, nonce: 1 });
    let entry = account::HistoryEntry {
        fee: Some(Amount(7)),
        transaction: Some(checked.id()),
        ..account::HistoryEntry::at(position, BlockTime(1_002_003))
    };
    let (schema, entries) = (account::HistorySchema, vec![entry]);
    golden.add("history", &account::History { schema, account: owner, entries, next: Some(position) });
    golden.add("order", &order::Order::new(id, &found));
    let node = holdfast_ledger::registry::Node::get(&state, &header.proposer).unwrap().unwrap();
    golden.add("node", &node::Node::new(&node, &Bond::default()));
    let params = holdfast_ledger::params::Params::default();
    golden.add("params", &params::Params::from(&params));
    let record = chain.test.network.committee.record();
    golden.add("committee", &committee::Committee::new(height, record, None, 1));
    let set = holdfast_ledger::epoch::validators(&state).unwrap();
    golden.add("validators", &committee::Validators::new(height, &set));
    let key = holdfast_ledger::state::RowKey::new(holdfast_proofs::row::Table::SUPPLY, &[]);
    let proof = holdfast_ledger::tree::prove(&chain.ledger, &key).unwrap();
    golden.add("row", &row::Row::new(&key, Some(&[1, 2]), &proof, header, Some(&finality)));
    golden.add("no row", &row::Row::new(&key, None, &proof, header, None));
    golden.check("objects.json");
}

#[test]
fn an_object_of_another_version_is_not_read() {
    let kept = include_str!("../../testdata/objects.json").replace("holdfast/row/1", "holdfast/row/2");
    let kept: Value = serde_json::from_str(&kept).unwrap();
    let row = serde_json::from_value::<row::Row>(kept["objects"]["row"].clone());
    assert!(row.unwrap_err().to_string().contains("expected holdfast/row/1"));
}
