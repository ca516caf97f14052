//! The ledger as anyone sees it.

use serde_json::Value;

use crate::support::{World, kill, wait_until};

#[test]
fn a_light_client_believes_headers_and_rows_and_nobody() {
    let world = World::with_network(4);
    let light = world.run_json(["chain", "light", "--count", "3"]).ok();
    let heights: Vec<_> = lines(&light.stdout)
        .map(|line| {
            assert_eq!(
                (line["schema"].as_str(), line["handovers"].as_u64()),
                (Some("holdfast/chain-light/1"), Some(0))
            );
            assert!((200..1000).contains(&line["bytes"].as_u64().unwrap()), "{line}");
            line["height"].as_u64().unwrap()
        })
        .collect();
    assert!(heights.len() == 3 && heights.is_sorted() && heights[0] < heights[2], "{heights:?}");
    assert!(world.run(["chain", "light", "--count", "1"]).ok().stdout.contains("checked in"));

    let status = world.run_json(["chain", "status"]).ok().json();
    let members = status["members"].as_array().unwrap();
    assert!(members.len() == 4 && members.iter().all(|member| member["state"] == "answers"), "{status}");
    assert!(status["proven"]["height"].as_u64().unwrap() >= heights[2]);

    let validators = world.run_json(["chain", "validators"]).ok().json();
    assert_eq!(validators["weight"], 4);
    let params = world.run_json(["chain", "params"]).ok().json();
    assert_eq!(params["profiles"], serde_json::json!(["copy4"]));
    let faucet = world.run_json(["--dry-run", "wallet", "faucet", &validators_account()]).ok().json();
    let faucet = faucet["from"].as_str().unwrap();
    let account = world.run_json(["chain", "account", faucet]).ok().json();
    assert!(account["exists"] == true && account["balance_text"] == "10000000 FFG", "{account}");
    let nobody = world.run_json(["chain", "account", &validators_account()]).ok().json();
    assert!(nobody["exists"] == false && nobody["balance"] == "0", "{nobody}");

    // A block is the same whoever is asked, and its header is the one that a light client saw.
    let block = world.run_json(["chain", "block", &heights[0].to_string()]).ok().json();
    assert!(block["proven"] == true && block["height"] == heights[0], "{block}");
    assert_eq!(block["hash"], lines(&light.stdout).next().unwrap()["hash"]);
    assert!(world.run_json(["chain", "block"]).ok().json()["height"].as_u64().unwrap() >= heights[2]);
    for (args, code, reason) in [
        (["chain", "block", "0"], 2, "ledger.no_block"),
        (["chain", "block", "1000000"], 3, "ledger.no_block"),
        (["chain", "tx", &"ab".repeat(32)], 3, "ledger.no_transaction"),
    ] {
        let run = world.run_json(args);
        assert_eq!((run.code, run.reason().as_str()), (code, reason), "{args:?}");
    }
}

/// An account that nobody ever paid.
fn validators_account() -> String {
    use holdfast_core::ed25519::SecretKey;
    holdfast_ledger::account::AccountId::of(SecretKey::from_seed(&[77; 32]).public()).to_string()
}

fn lines(text: &str) -> impl Iterator<Item = Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap())
}

/// Whoever reads events twice, in pages of any size, sees the same ones under the same names.
#[test]
fn an_event_has_the_same_place_however_often_it_is_told() {
    let world = World::with_account();
    world.run(["wallet", "faucet", "--amount", "1FFG"]).ok();
    wait_until("there are some blocks", || {
        world.run_json(["chain", "block"]).ok().json()["height"].as_u64().unwrap() > 6
    });
    let all = world.run_json(["chain", "events", "--max", "6"]).ok().json();
    let events = all["events"].as_array().unwrap();
    assert_eq!(events.len(), 6);
    let kinds: Vec<_> = events.iter().map(|event| event["event"]["kind"].as_str().unwrap()).collect();
    assert!(kinds.contains(&"rewarded"), "{kinds:?}");

    let (mut paged, mut from) = (Vec::new(), "0.0".to_owned());
    for _ in 0..3 {
        let page = world.run_json(["chain", "events", "--from", &from, "--max", "2"]).ok().json();
        paged.extend(page["events"].as_array().unwrap().clone());
        from = page["next"].as_str().unwrap().to_owned();
    }
    assert_eq!(&paged, events);
    assert_eq!(from, all["next"].as_str().unwrap());
    // The same from the middle, from another node, and as they happen.
    let third = events[2]["position"].as_str().unwrap();
    kill(&world.nodes()[0]);
    let again = world.run_json(["chain", "events", "--from", third, "--max", "4"]).ok().json();
    assert_eq!(again["events"].as_array().unwrap()[..], events[2..]);
    let followed = world.run_json(["chain", "events", "--from", third, "--max", "4", "--follow"]).ok();
    let followed: Vec<_> = lines(&followed.stdout).collect();
    for (event, told) in events[2..].iter().zip(&followed) {
        assert_eq!((&event["position"], &event["event"]), (&told["position"], &told["event"]));
    }
    assert_eq!(followed.len(), 4);
    // Beyond what there is, nothing happened yet.
    let beyond = world.run_json(["chain", "events", "--from", "1000000.0"]).ok().json();
    assert_eq!((beyond["events"].as_array().unwrap().len(), &beyond["next"]), (0, &"1000000.0".into()));
}

#[test]
fn a_network_without_a_ledger_says_so() {
    let world = World::without_ledger();
    for args in [&["chain", "status"][..], &["chain", "light"], &["wallet", "balance"], &["order", "ls"]] {
        let run = world.run_json(args.iter().copied());
        assert_eq!((run.code, run.reason().as_str()), (2, "ledger.none"), "{args:?}");
    }
    world.file("file", "kept");
    let put = world.run_json(["put", "file", "--for", "1h"]);
    assert_eq!((put.code, put.reason().as_str()), (2, "ledger.none"));
    let quote = world.run_json(["put", "file", "--for", "1h", "--quote"]);
    assert_eq!((quote.code, quote.reason().as_str()), (2, "ledger.none"));
}
