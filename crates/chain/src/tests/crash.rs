//! Whatever happens, what was acknowledged is there, and the state is the one of the last block.

use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use super::disk::{Disk, File, Unsynced};
use super::*;

/// Saves often, so that a short chain has several.
const OFTEN: Pace = Pace { blocks: 2, bytes: usize::MAX, memory: usize::MAX };
/// Never saves by itself.
const NEVER: Pace = Pace { blocks: u32::MAX, ..OFTEN };

/// Blocks with two transfers each, of which one makes an account.
pub(super) fn chain_of(count: u8) -> Vec<Executed> {
    let mut ledger = MemoryLedger::new(founded(1));
    (0..count)
        .map(|number| {
            let nonce = u64::from(number) * 2;
            let executed = next(ledger.parent(), vec![pay(nonce, 2), pay(nonce + 1, 10 + number)]);
            ledger.commit(&executed);
            executed
        })
        .collect()
}

/// The last block and its state are those of the chain, and the next block follows.
fn must_be_whole(chain: &Chain, blocks: &[Executed], at_least: usize) {
    let view = chain.view().unwrap();
    let height = usize::try_from(view.header().height.0).unwrap();
    assert!(height >= at_least, "{at_least} blocks were acknowledged, {height} are there");
    if let Some(last) = height.checked_sub(1) {
        assert_eq!(view.header(), &blocks[last].block().header);
        let bytes = view.block_at(Height(height as u64)).unwrap().unwrap();
        assert_eq!(bytes, blocks[last].block().to_bytes());
    }
    // Any row is proven under the header's root: one that every block changes, and one that the last one made.
    for key in [1, 2, 9 + u8::try_from(height).unwrap()] {
        let key = RowKey::new(Table::ACCOUNTS, id(key).key().as_bytes());
        let row = view.get(&key).unwrap();
        prove(&view, &key).unwrap().verify(&view.header().state, &key, row.as_deref()).unwrap();
    }
    if let Some(next) = blocks.get(height) {
        chain.commit(next, b"").unwrap();
    }
}

#[test]
fn a_crash_at_any_write_or_sync_takes_nothing_that_was_acknowledged() {
    let blocks = chain_of(5);
    for unsynced in [Unsynced::Lost, Unsynced::Kept, Unsynced::EveryOtherKept] {
        for steps in 0.. {
            let disk = Disk::new();
            let (history, state) = (File::new(&disk, Vec::new()), File::new(&disk, Vec::new()));
            let (history_database, state_database) = (history.database().unwrap(), state.database().unwrap());
            disk.dies_after(steps);
            let acknowledged = until_it_dies(history_database, state_database, &blocks);

            let finished = !disk.is_dead();
            disk.die();
            let disk = Disk::new();
            let again = |file: &File| File::new(&disk, file.after_crash(unsynced)).database().unwrap();
            let chain = Chain::over(again(&history), again(&state), &founded(1), OFTEN).unwrap();
            must_be_whole(&chain, &blocks, acknowledged);
            if finished {
                assert_eq!(acknowledged, blocks.len());
                break;
            }
        }
    }
}

/// How many blocks were acknowledged before the disk died.
fn until_it_dies(history: Database, state: Database, blocks: &[Executed]) -> usize {
    let Ok(chain) = Chain::over(history, state, &founded(1), OFTEN) else { return 0 };
    let count = blocks.iter().take_while(|block| chain.commit(block, b"final").is_ok()).count();
    if let Some(next) = blocks.get(count + 1) {
        // What failed once is not tried again, for nobody knows how far it came.
        assert!(matches!(chain.commit(next, b"final"), Err(ChainError::Stopped)));
    }
    count // dropping the chain saves it, unless the disk dies meanwhile
}

/// The state is behind by any number of blocks, from none to all.
#[test]
fn a_state_that_is_behind_catches_up() {
    let blocks = chain_of(9);
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let database = |name: &str| Database::create(path(name)).unwrap();
    let chain = Chain::over(database("blocks.redb"), database("state.redb"), &founded(1), NEVER).unwrap();
    // The file of a database that is open is as it was when it was last made durable.
    fs::copy(path("state.redb"), path("state at 0")).unwrap();
    for (height, block) in (1..).zip(&blocks) {
        chain.commit(block, b"").unwrap();
        if height % 2 == 1 {
            chain.save().unwrap();
        }
        fs::copy(path("state.redb"), path(&format!("state at {height}"))).unwrap();
    }
    fs::copy(path("blocks.redb"), path("all blocks")).unwrap();
    for height in 0..=blocks.len() {
        let copy = path(&format!("behind at {height}"));
        fs::create_dir(&copy).unwrap();
        fs::copy(path("all blocks"), copy.join("blocks.redb")).unwrap();
        fs::copy(path(&format!("state at {height}")), copy.join("state.redb")).unwrap();
        let chain = Chain::open(&copy, CACHE_BYTES, &founded(1)).unwrap();
        must_be_whole(&chain, &blocks, blocks.len());
    }
    let lost = path("lost");
    fs::create_dir(&lost).unwrap();
    fs::copy(path("all blocks"), lost.join("blocks.redb")).unwrap();
    must_be_whole(&Chain::open(&lost, CACHE_BYTES, &founded(1)).unwrap(), &blocks, blocks.len());
}

/// Blocks are durable before the state is; a state without its block comes from elsewhere.
#[test]
fn a_state_that_is_ahead_of_the_blocks_is_refused() {
    let blocks = chain_of(3);
    let folder = tempfile::tempdir().unwrap();
    let ledger = folder.path().join("ledger");
    for block in &blocks {
        Chain::open(&ledger, CACHE_BYTES, &founded(1)).unwrap().commit(block, b"").unwrap();
    }
    fs::remove_file(ledger.join("blocks.redb")).unwrap();
    assert!(matches!(Chain::open(&ledger, CACHE_BYTES, &founded(1)), Err(ChainError::Damaged(_))));
}

/// Where the process that is killed keeps its ledger.
const KILLED: &str = "HOLDFAST_TEST_KILLED_LEDGER";

/// Runs in a process of its own, which the test below kills: imports blocks, and says which are committed.
#[test]
#[ignore = "a part of another test"]
fn a_process_that_is_killed() {
    let Some(folder) = std::env::var_os(KILLED) else { return };
    let chain = Chain::open(folder.as_ref(), CACHE_BYTES, &founded(1)).unwrap();
    let blocks: Vec<_> = chain_of(200).iter().map(|block| (block.block().to_bytes(), Vec::new())).collect();
    let known = usize::try_from(chain.view().unwrap().header().height.0).unwrap();
    let verify = |_: &Header, _: &CheckedBlock, _: &[u8]| Ok::<(), Infallible>(());
    let rest = blocks.into_iter().skip(known);
    import(&chain, &NETWORK, rest, verify, |header| println!("committed {}", header.height)).unwrap();
}

#[test]
fn a_process_killed_while_it_imports_leaves_what_it_acknowledged() {
    let blocks = chain_of(200);
    let folder = tempfile::tempdir().unwrap();
    let ledger = folder.path().join("ledger");
    for patience in [1, 13, 40, 70] {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "tests::crash::a_process_that_is_killed", "--ignored", "--nocapture"])
            .env(KILLED, &ledger)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut heard = 0;
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
        for _ in 0..patience {
            let line = lines.by_ref().find_map(|line| line.strip_prefix("committed ").map(str::to_owned));
            heard = line.expect("there are blocks left").parse().unwrap();
        }
        child.kill().unwrap();
        child.wait().unwrap();
        let later = lines.filter_map(|line| line.strip_prefix("committed ")?.parse().ok());
        let acknowledged = later.last().unwrap_or(heard);
        must_be_whole(&Chain::open(&ledger, CACHE_BYTES, &founded(1)).unwrap(), &blocks, acknowledged);
    }
}
