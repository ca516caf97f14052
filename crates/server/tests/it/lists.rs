//! Lists come in pages, and cursors lead through all of them once.

use holdfast_ledger::testing;
use serde_json::Value;

use crate::world::{World, order, rich};

/// Everything in a list, fetched in pages of `max` by following `next` under the name of the cursor.
fn all(world: &World, path: &str, list: &str, cursor: &str, max: usize) -> Vec<Value> {
    let (mut found, mut place) = (Vec::new(), String::new());
    loop {
        let page = world.object(&format!("{path}?max={max}{place}"));
        let entries = page[list].as_array().unwrap();
        assert!(entries.len() <= max);
        found.extend(entries.iter().cloned());
        match &page["next"] {
            Value::Null => return found,
            Value::String(next) => place = format!("&{cursor}={next}"),
            next => place = format!("&{cursor}={next}"),
        }
        assert_eq!(entries.len(), max, "only the last page may be short");
    }
}

/// Pages of every size hold the same as one large page.
fn check_pages(world: &World, path: &str, list: &str, cursor: &str, count: usize) -> Vec<Value> {
    let whole = all(world, path, list, cursor, 256);
    assert_eq!(whole.len(), count, "{path}");
    for max in [1, 2, 3, count.max(1)] {
        assert_eq!(all(world, path, list, cursor, max), whole, "{path} in pages of {max}");
    }
    whole
}

#[test]
fn nodes_and_members_come_in_order() {
    let world = World::new();
    let nodes = check_pages(&world, "/v1/nodes", "nodes", "after", 4);
    let ids: Vec<_> = nodes.iter().map(|node| node["member"]["node"].as_str().unwrap()).collect();
    assert!(ids.is_sorted());
    let members = check_pages(&world, "/v1/committee", "members", "after", 4);
    assert!(nodes.iter().zip(&members).all(|(node, member)| node["member"] == *member));
    assert_eq!(world.object("/v1/committee")["member_count"], 4);
    let last = format!("/v1/nodes?after={}", "ff".repeat(32));
    assert_eq!(world.object(&last)["nodes"].as_array().unwrap().len(), 0);
}

#[test]
fn orders_come_in_order_and_are_their_owners() {
    let world = World::new();
    let mut ids: Vec<_> =
        (0..5).map(|number| world.source.send(&testing::rich(), order(number)).to_string()).collect();
    ids.sort();
    let path = format!("/v1/accounts/{}/orders", rich());
    let orders = check_pages(&world, &path, "orders", "after", 5);
    assert!(orders.iter().map(|order| order["id"].as_str().unwrap()).eq(ids));
    let other = holdfast_ledger::account::AccountId::of(testing::owner(1).public());
    check_pages(&world, &format!("/v1/accounts/{other}/orders"), "orders", "after", 0);
}

#[test]
fn transactions_of_a_block_come_in_order() {
    let world = World::new();
    let transactions = (0..5).map(|nonce| {
        let payload = world.transfer(u128::from(nonce) + 1);
        world.source.with(|chain| chain.test.transaction(&testing::rich(), nonce, payload))
    });
    world.source.block_of(transactions.collect());
    let found = check_pages(&world, "/v1/blocks/latest", "transactions", "from", 5);
    assert!(found.iter().enumerate().all(|(index, transaction)| transaction["index"] == index));
    let beyond = world.object("/v1/blocks/1?from=4294967295");
    assert_eq!((beyond["transactions"].as_array().unwrap().len(), &beyond["next"]), (0, &Value::Null));
}

#[test]
fn history_adds_up_to_the_balance() {
    let world = World::new();
    for amount in 1..=4 {
        world.source.send(&testing::rich(), world.transfer(amount));
    }
    world.source.send(&testing::rich(), world.transfer(u128::MAX)); // fails
    let path = format!("/v1/accounts/{}/history", rich());
    let entries = check_pages(&world, &path, "entries", "before", 5);
    assert_eq!(entries[0]["position"], "5.0", "the newest first");
    assert_eq!(entries[0]["failure"]["reason"], "failure.balance");
    assert_eq!([&entries[4]["position"], &entries[4]["fee"]], ["1.0", "0"]);
    world.source.send(&testing::rich(), order(1));
    let newest = world.object(&format!("{path}?max=1"));
    assert_eq!(newest["entries"][0]["events"][0]["kind"], "order_changed", "it sent the transaction");

    let paid = holdfast_ledger::account::AccountId::of(testing::owner(1).public());
    let whole = world.object(&format!("/v1/accounts/{paid}/history"));
    let sum = |name: &str, kind: &str| -> u128 {
        let entries = whole["entries"].as_array().unwrap().iter();
        let events = entries.flat_map(|entry| entry["events"].as_array().unwrap());
        let events = events.filter(|event| event["kind"] == kind);
        events.map(|event| event[name].as_str().unwrap().parse::<u128>().unwrap()).sum()
    };
    let total = sum("amount", "transferred") + sum("issued", "rewarded") + sum("fees", "rewarded");
    assert_eq!(world.object(&format!("/v1/accounts/{paid}"))["balance"], total.to_string());
}

#[test]
fn events_come_in_order_and_end_where_the_next_begin() {
    let world = World::new();
    for amount in 1..=3 {
        world.source.send(&testing::rich(), world.transfer(amount));
        world.source.block_of(Vec::new());
    }
    let whole = world.object("/v1/events");
    assert_eq!(whole["next"], "7.0");
    let events = whole["events"].as_array().unwrap();
    let positions: Vec<_> = events.iter().map(|event| event["position"].as_str().unwrap()).collect();
    assert_eq!(positions, ["1.0", "1.1", "2.0", "3.0", "3.1", "4.0", "5.0", "5.1", "6.0"]);
    assert_eq!(
        events[0]["transaction"],
        world.object("/v1/blocks/1")["transactions"][0]["transaction"]["id"]
    );
    assert_eq!(events[1]["transaction"], Value::Null);
    for max in 1..=10 {
        let (mut found, mut from) = (Vec::new(), "0.0".to_owned());
        loop {
            let page = world.object(&format!("/v1/events?from={from}&max={max}"));
            found.extend(page["events"].as_array().unwrap().iter().cloned());
            let next = page["next"].as_str().unwrap();
            if next == from {
                break;
            }
            from = next.into();
        }
        assert_eq!(&found, events, "in pages of {max}");
    }
    let of = |from: &str| world.object(&format!("/v1/events?from={from}"))["events"][0]["position"].clone();
    assert_eq!(
        [of("1.9"), of("3.1")],
        ["2.0", "3.1"],
        "behind the last event of a block comes the next block"
    );
    let ahead = world.object("/v1/events?from=18446744073709551615.4294967295");
    assert_eq!(ahead["next"], "18446744073709551615.4294967295");

    world.source.prune(4);
    assert_eq!(world.refused("/v1/events?from=3.1", 410), "block.pruned");
    assert_eq!(world.object("/v1/events")["events"][0]["position"], "4.0");
}
