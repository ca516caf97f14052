//! Money: the faucet, sending, what is proven of it, and who may spend.

use std::thread;

use crate::support::{World, has_file};

#[test]
fn money_goes_from_the_faucet_to_an_account_and_on_to_another() {
    let world = World::with_account();
    let balance = |name: &str| world.run(["wallet", "balance", "--key", name]).ok().stdout;
    assert_eq!(balance("default"), "0 FFG\n");
    let empty = world.run(["wallet", "history"]).ok();
    assert_eq!(empty.stdout, "no transactions\n");

    let plan = world.run_json(["--dry-run", "wallet", "faucet"]).ok().json();
    assert_eq!(plan["schema"], "holdfast/wallet-plan/1");
    let given = world.run_json(["wallet", "faucet", "--amount", "5FFG"]).ok().json();
    assert_eq!(given["amount"], "5000000000000000000");
    assert_eq!(balance("default"), "5 FFG\n");

    world.key("other");
    let other = world.account("other");
    // Two words are one sum.
    let plan = world.run_json(["--dry-run", "wallet", "send", &other, "1500", "milliFFG"]).ok().json();
    assert_eq!(
        (plan["schema"].as_str(), plan["balance"].as_str()),
        (Some("holdfast/wallet-plan/1"), Some("5000000000000000000"))
    );
    let sent = world.run_json(["wallet", "send", &other, "1500", "milliFFG"]).ok().json();
    assert_eq!(balance("other"), "1.5 FFG\n");
    let fee: u128 = sent["fee"].as_str().unwrap().parse().unwrap();
    let left = world.run_json(["wallet", "balance"]).ok().json();
    let left: u128 = left["balance"].as_str().unwrap().parse().unwrap();
    assert_eq!(left + fee, 3_500_000_000_000_000_000);
    assert!(sent["height"].as_u64().unwrap() > given["height"].as_u64().unwrap());

    // Both see it, the newest first.
    let id = sent["transaction"].as_str().unwrap();
    for name in ["default", "other"] {
        let history = world.run_json(["wallet", "history", "--key", name]).ok().json();
        assert_eq!(history["transactions"][0]["transaction"], id, "{history}");
        assert_eq!(history["transactions"][0]["payload"]["kind"], "transfer");
    }
    let one = world.run_json(["wallet", "history", "--max", "1"]).ok().json();
    assert_eq!(one["transactions"].as_array().unwrap().len(), 1);
    let next = one["next"].as_str().unwrap();
    let rest = world.run_json(["wallet", "history", "--before", next]).ok().json();
    assert_eq!(rest["transactions"][0]["transaction"], given["transaction"]);
    assert!(rest["next"].is_null());
    let shown = world.run_json(["chain", "tx", id]).ok().json();
    assert_eq!((shown["proven"].as_bool(), shown["height"].as_u64()), (Some(true), sent["height"].as_u64()));
}

#[test]
fn nothing_is_sent_that_cannot_be_paid_or_is_not_allowed() {
    let world = World::with_account();
    let mine = world.account("default");
    let refused = |args: &[&str]| {
        let run = world.run_json(args);
        (run.code, run.reason())
    };
    let poor = world.run_json(["wallet", "send", &mine, "1FFG"]);
    assert_eq!((poor.code, poor.reason().as_str()), (5, "wallet.balance"));
    assert!(poor.stderr.contains("has 0 FFG") && poor.stderr.contains("1.000"), "both numbers: {poor:?}");

    world.file("wrong", "another passphrase\n");
    let wrong = ["wallet", "send", &mine, "1FFG", "--passphrase-file", "wrong"];
    assert_eq!(refused(&wrong), (4, "key.passphrase".into()));
    assert_eq!(refused(&["wallet", "balance", "--key", "nobody"]), (3, "key.missing".into()));
    assert_eq!(refused(&["wallet", "send", &mine, "0FFG"]), (2, "wallet.amount".into()));
    assert_eq!(refused(&["wallet", "send", &mine, "1", "ffg"]), (2, "wallet.amount".into()));
    assert_eq!(refused(&["wallet", "send", &mine[..20], "1FFG"]), (2, "usage".into()));

    // A network that nobody here founded has no faucet.
    std::fs::remove_file(world.path("net/faucet.key")).unwrap();
    assert_eq!(refused(&["wallet", "faucet"]), (4, "wallet.no_faucet".into()));
    world.file("net/faucet.key", "no key");
    assert_eq!(refused(&["wallet", "faucet"]), (6, "key.damaged".into()));
    world.run(["net", "down", "--dir", "net"]).ok();
    let down = refused(&["--network", "net", "wallet", "balance"]);
    assert_eq!(down, (7, "ledger.unreachable".into()));
}

/// Transactions of an account are counted, so two commands of one account take turns.
#[test]
fn commands_of_one_account_take_turns() {
    let world = World::with_account();
    world.run(["wallet", "faucet", "--amount", "10FFG"]).ok();
    world.key("other");
    let other = world.account("other");
    thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| world.run(["wallet", "send", &other, "1FFG"]).ok());
        }
    });
    assert_eq!(world.run(["wallet", "balance", &other]).ok().stdout, "3 FFG\n");
    assert!(has_file(&world.path("home/.local/state/holdfast/accounts")));
}
