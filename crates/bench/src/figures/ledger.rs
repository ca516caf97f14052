//! The ledger in one process: signed transfers through check, execution, state root and durable commit.
//!
//! A chain is made first, which is not measured: it gives money to ever more accounts, and has blocks of transfers between
//! random ones among few and among many. Then another chain imports all of it, as from strangers.

use std::convert::Infallible;
use std::ops::Range;
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use holdfast_chain::{Chain, MEMORY_BYTES, View, import};
use holdfast_client::keystore::AccountKey;
use holdfast_core::ed25519::SecretKey;
use holdfast_core::explain;
use holdfast_core::id::Amount;
use holdfast_ledger::account::AccountId;
use holdfast_ledger::block::{CheckedBlock, Header, Height};
use holdfast_ledger::execute::propose;
use holdfast_ledger::genesis::Allotment;
use holdfast_ledger::params::Params;
use holdfast_ledger::transaction::{Body, CheckedTransaction, Payload, Transaction, Transfer};
use holdfast_ledger::units::FFG;

use crate::figure::{Bound, Figure, Unit};
use crate::ground::{BenchError, Ground, Networks, blocking};

mod alone;
mod network;

use alone::Alone;

/// Transfers of a block.
const TRANSFERS: usize = 10_000;
/// Blocks of random transfers, of which one figure is made. The state is saved some three times in so many, so that the
/// figure is what a block takes in the long run.
const BLOCKS: usize = 53;
/// Accounts of the small state.
const FEW: usize = 10_000;
/// Accounts that genesis gives money to.
const FOUNDERS: usize = 1_000;
/// What a chain takes on disk for each account, at most, history included.
const ACCOUNT_DISK_BYTES: u64 = 4 << 10;

/// The key of a local network's faucet.
fn faucet(network: &Path) -> Result<AccountKey, String> {
    let text = std::fs::read(network.join("faucet.key")).map_err(|error| explain(&error))?;
    AccountKey::from_text(&text).ok_or_else(|| "the network's faucet has no key".to_owned())
}

pub(super) async fn measure(
    accounts: usize,
    ground: &Ground,
    networks: &impl Networks,
) -> Result<Vec<Figure>, BenchError> {
    ground.need(accounts.max(FEW) as u64 * ACCOUNT_DISK_BYTES)?;
    let folder = ground.make_folder("ledger")?;
    let path = folder.clone();
    let times = blocking(move || run(&path, accounts).map_err(BenchError::Ledger)).await?;
    ground.remove_folder(&folder).await?;
    let rate = |name: String, count: usize, seconds: f64, least: f64| Figure {
        name,
        value: u32::try_from(count).map_or(f64::NAN, f64::from) / seconds,
        unit: Unit::TransactionsPerSecond,
        floor: None,
        bound: Bound::ValueMin(least),
    };
    let transfers = |accounts: usize, blocks: &[f64]| {
        let name = format!("ledger/transfers accounts={accounts}");
        rate(name, TRANSFERS * blocks.len(), blocks.iter().sum(), 10_000.0)
    };
    let across = network::measure(ground, networks).await?;
    Ok(vec![
        across,
        transfers(FEW, &times.few),
        transfers(accounts, &times.many),
        rate(
            format!("ledger/replay transactions={}", times.transactions),
            times.transactions,
            times.all,
            8_000.0,
        ),
        Figure {
            name: format!("ledger/block transfers={TRANSFERS} accounts={accounts} against={FEW}"),
            value: mean(&times.many),
            unit: Unit::Seconds,
            floor: Some(mean(&times.few)),
            bound: Bound::RatioMax(2.0),
        },
    ])
}

/// Not the median, which would leave out the blocks that pay for a save.
fn mean(seconds: &[f64]) -> f64 {
    seconds.iter().sum::<f64>() / u32::try_from(seconds.len()).map_or(f64::NAN, f64::from)
}

/// What an import took.
struct Times {
    /// Seconds of each block of transfers between few accounts.
    few: Vec<f64>,
    /// And between many.
    many: Vec<f64>,
    /// Seconds of everything.
    all: f64,
    /// Transactions of everything.
    transactions: usize,
}

/// Which blocks of a chain do what.
struct Plan {
    alone: Alone,
    few: Range<u64>,
    many: Range<u64>,
    transactions: usize,
}

fn run(folder: &Path, accounts: usize) -> Result<Times, String> {
    let failed = |error: &dyn std::error::Error| explain(error);
    let source = folder.join("source");
    let plan = make(&source, accounts)?;
    let source = Chain::open(&source, MEMORY_BYTES, &plan.alone.founded).map_err(|error| failed(&error))?;
    let view = source.view().map_err(|error| failed(&error))?;
    let chain = Chain::open(&folder.join("copy"), MEMORY_BYTES, &plan.alone.founded);
    let chain = chain.map_err(|error| failed(&error))?;

    let (mut few, mut many) = (Vec::new(), Vec::new());
    let started = Instant::now();
    let mut last = started;
    let unreadable = Mutex::new(None);
    let verify = |_: &Header, _: &CheckedBlock, _: &[u8]| Ok::<(), Infallible>(());
    let result = import(&chain, &plan.alone.network, blocks(&view, &unreadable), verify, |header| {
        let now = Instant::now();
        let seconds = (now - std::mem::replace(&mut last, now)).as_secs_f64();
        if plan.few.contains(&header.height.0) {
            few.push(seconds);
        }
        if plan.many.contains(&header.height.0) {
            many.push(seconds);
        }
    });
    result.map_err(|error| failed(&error))?;
    let all = started.elapsed().as_secs_f64();
    if let Some(why) = unreadable.into_inner().unwrap_or_else(PoisonError::into_inner) {
        return Err(why);
    }
    let copied = chain.view().map_err(|error| failed(&error))?.header().clone();
    if copied != *view.header() {
        return Err("the copy of the chain is another one".to_owned());
    }
    Ok(Times { few, many, all, transactions: plan.transactions })
}

/// The blocks of a chain, in order. They end at one that cannot be read, with the reason in `unreadable`.
fn blocks<'a>(
    view: &'a View,
    unreadable: &'a Mutex<Option<String>>,
) -> impl Iterator<Item = (Vec<u8>, Vec<u8>)> + Send + 'a {
    (1..).map_while(move |height| {
        let block = view.block_at(Height(height)).unwrap_or_else(|error| {
            *unreadable.lock().unwrap_or_else(PoisonError::into_inner) = Some(explain(&error));
            None
        });
        block.map(|block| (block, Vec::new()))
    })
}

/// Makes the chain that is imported.
fn make(path: &Path, accounts: usize) -> Result<Plan, String> {
    let mut maker = Maker::new(path, accounts.max(FEW))?;
    maker.give(FOUNDERS..FEW)?;
    let few = maker.transfers(FEW)?;
    maker.give(FEW..accounts)?;
    let many = maker.transfers(accounts)?;
    Ok(Plan { alone: maker.alone, few, many, transactions: maker.transactions })
}

struct Maker {
    alone: Alone,
    chain: Chain,
    people: Vec<Person>,
    chance: blake3::OutputReader,
    transactions: usize,
}

/// Somebody with an account.
struct Person {
    key: SecretKey,
    account: AccountId,
    nonce: u64,
}

impl Maker {
    fn new(path: &Path, accounts: usize) -> Result<Self, String> {
        let people: Vec<_> = (0..accounts as u64).map(person).collect();
        let amount = Amount(400_000 * FFG.0);
        let mut allotments: Vec<_> =
            people[..FOUNDERS].iter().map(|person| Allotment { account: person.account, amount }).collect();
        allotments.sort_by_key(|allotment| allotment.account);
        let params = Params { fee_flat: Amount(1_000), fee_byte: Amount(10), ..Params::default() };
        let alone = Alone::new(people[0].account, params, allotments)?;
        let chain = Chain::open(path, MEMORY_BYTES, &alone.founded).map_err(|error| explain(&error))?;
        let chance = blake3::Hasher::new().finalize_xof();
        Ok(Self { alone, chain, people, chance, transactions: 0 })
    }

    /// Founders give money to others.
    fn give(&mut self, others: Range<usize>) -> Result<(), String> {
        let others: Vec<_> = others.collect();
        for group in others.chunks(TRANSFERS) {
            let pay = |maker: &mut Self, to: &usize| maker.pay(*to % FOUNDERS, *to, 100 * FFG.0);
            let transactions = group.iter().map(|to| pay(self, to)).collect::<Result<_, _>>()?;
            self.commit(transactions)?;
        }
        Ok(())
    }

    /// Blocks of transfers between random ones of the first so many, and where they stand.
    fn transfers(&mut self, among: usize) -> Result<Range<u64>, String> {
        let start = self.height()? + 1;
        for _ in 0..BLOCKS {
            let mut transactions = Vec::with_capacity(TRANSFERS);
            for _ in 0..TRANSFERS {
                let (from, to) = (self.draw(among), self.draw(among));
                transactions.push(self.pay(from, to, 1)?);
            }
            self.commit(transactions)?;
        }
        Ok(start..self.height()? + 1)
    }

    fn pay(&mut self, from: usize, to: usize, amount: u128) -> Result<CheckedTransaction, String> {
        let payload = Payload::Transfer(Transfer { to: self.people[to].account, amount: Amount(amount) });
        let sender = &mut self.people[from];
        let (fee, valid_until) = (Amount(5_000), Height(u64::MAX));
        let body = Body { sender: sender.account, nonce: sender.nonce, fee, valid_until, payload };
        sender.nonce += 1;
        let network = &self.alone.network;
        Transaction::sign(body, network, &sender.key).check(network).map_err(|error| explain(&error))
    }

    fn commit(&mut self, transactions: Vec<CheckedTransaction>) -> Result<(), String> {
        self.transactions += transactions.len();
        let view = self.chain.view().map_err(|error| explain(&error))?;
        let executed = propose(view.parent(), self.alone.draft(view.parent())?, transactions)
            .map_err(|error| explain(&error))?;
        if executed.receipts().transactions.iter().any(|receipt| receipt.failure.is_some()) {
            return Err("a transfer failed".to_owned());
        }
        self.chain.commit(&executed, &[]).map_err(|error| explain(&error))
    }

    fn height(&self) -> Result<u64, String> {
        Ok(self.chain.view().map_err(|error| explain(&error))?.header().height.0)
    }

    fn draw(&mut self, below: usize) -> usize {
        let mut bytes = [0; 8];
        self.chance.fill(&mut bytes);
        usize::try_from(u64::from_le_bytes(bytes) % below as u64).expect("less than a usize")
    }
}

fn person(number: u64) -> Person {
    let mut seed = [0; 32];
    seed[..8].copy_from_slice(&number.to_le_bytes());
    let key = SecretKey::from_seed(&seed);
    let account = AccountId::of(key.public());
    Person { key, account, nonce: 0 }
}
