//! The ledger of four nodes: transfers from the clients that sign them until all nodes have decided on them.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use holdfast_client::keystore::AccountKey;
use holdfast_client::ledger::LedgerClient;
use holdfast_client::network::Network;
use holdfast_core::codec::Bounded;
use holdfast_core::explain;
use holdfast_core::id::{Amount, NetworkId};
use holdfast_ledger::account::AccountId;
use holdfast_ledger::block::Height;
use holdfast_ledger::transaction::{Body, Payload, Transaction, Transfer};
use holdfast_ledger::units::FFG;
use holdfast_net::{Keypair, Net};
use holdfast_protocol::chain::SUBMIT_MAX;
use tokio::task::JoinSet;

use super::faucet as faucet_of;
use crate::figure::{Bound, Figure, Unit};
use crate::ground::{BenchError, Ground, Networks};

/// Accounts that send at once.
const SENDERS: usize = 256;
/// Transfers of each: as many as may wait for one sender.
const EACH: u64 = 64;
/// Transactions given to a node at once, which must fit into one message.
const BATCH: usize = 48;
/// What must be decided, in transfers a second.
const RATE_MIN: f64 = 1_000.0;
/// Pause between two looks for the end.
const LOOK_EVERY: Duration = Duration::from_millis(50);

pub(super) async fn measure(ground: &Ground, networks: &impl Networks) -> Result<Figure, BenchError> {
    let folder = ground.make_folder("ledger-network")?;
    let path = folder.join("network");
    let running = networks.start(&path).await?;
    let seconds = run(&path).await.map_err(BenchError::Ledger)?;
    drop(running);
    ground.remove_folder(&folder).await?;
    let transfers = SENDERS as u64 * EACH;
    Ok(Figure {
        name: format!("ledger/network nodes=4 transfers={transfers}"),
        value: u32::try_from(transfers).map_or(f64::NAN, f64::from) / seconds,
        unit: Unit::TransactionsPerSecond,
        floor: None,
        bound: Bound::ValueMin(RATE_MIN),
    })
}

/// Seconds from the first transfer that is given to a node until all are final.
async fn run(path: &Path) -> Result<f64, String> {
    let failed = |error: &dyn std::error::Error| explain(error);
    let network = Network::load(path).map_err(|error| failed(&error))?;
    let id = *network.id();
    let net = Net::start(Keypair::generate_ed25519(), &[]).await.map_err(|error| failed(&error))?;
    let mut client = LedgerClient::new(net, network).map_err(|error| failed(&error))?;
    let faucet = faucet_of(path)?;
    let senders: Vec<_> =
        (0..SENDERS).map(|_| AccountKey::draw()).collect::<Result<_, _>>().map_err(|error| failed(&error))?;

    let start = client.account(&faucet.account()).await.map_err(|error| failed(&error))?;
    let first = start.row.map_or(0, |row| row.nonce);
    for (at, group) in (0_u64..).zip(senders.chunks(BATCH)) {
        let at = first + at * BATCH as u64;
        let gifts = (at..).zip(group).map(|(nonce, to)| pay(&faucet, nonce, to.account(), FFG.0, &id));
        let gifts = Bounded::new(gifts.collect()).map_err(|_| "a batch is too large")?;
        let missing = client.submit_many(0, gifts).await.map_err(|error| failed(&error))?;
        if missing > 0 {
            return Err(format!("{missing} gifts of the faucet were refused"));
        }
        until_nonce(&mut client, &faucet.account(), at + group.len() as u64).await?;
    }

    let batches = signed(&senders, &id)?;
    let client = Arc::new(client);
    let started = Instant::now();
    let mut giving = JoinSet::new();
    for (place, batches) in (0_usize..).zip(batches) {
        let client = client.clone();
        giving.spawn(async move {
            for batch in batches {
                let missing = client.submit_many(place, batch).await.map_err(|error| explain(&error))?;
                if missing > 0 {
                    return Err(format!("{missing} transfers were refused"));
                }
            }
            Ok(())
        });
    }
    while let Some(given) = giving.join_next().await {
        given.map_err(|error| failed(&error))??;
    }
    let mut client = Arc::into_inner(client).ok_or("a task still holds the client")?;
    for sender in &senders {
        until_nonce(&mut client, &sender.account(), EACH).await?;
    }
    Ok(started.elapsed().as_secs_f64())
}

/// What each of four nodes is given: all transfers of a quarter of the senders, in the order of their nonces.
fn signed(
    senders: &[AccountKey],
    network: &NetworkId,
) -> Result<Vec<Vec<Bounded<Transaction, SUBMIT_MAX>>>, String> {
    let sink = senders.first().ok_or("nobody sends")?.account();
    let of = |group: &[AccountKey]| {
        let transfers: Vec<_> = (0..EACH)
            .flat_map(|nonce| group.iter().map(move |sender| pay(sender, nonce, sink, 1, network)))
            .collect();
        let batch = |batch: &[Transaction]| {
            Bounded::new(batch.to_vec()).map_err(|_| "a batch is too large".to_owned())
        };
        transfers.chunks(BATCH).map(batch).collect()
    };
    senders.chunks(SENDERS / 4).map(of).collect()
}

fn pay(from: &AccountKey, nonce: u64, to: AccountId, amount: u128, network: &NetworkId) -> Transaction {
    let payload = Payload::Transfer(Transfer { to, amount: Amount(amount) });
    let (fee, valid_until) = (Amount(FFG.0 / 1000), Height(u64::MAX));
    let body = Body { sender: from.account(), nonce, fee, valid_until, payload };
    Transaction::sign(body, network, from.secret())
}

/// Waits until an account has sent so many, as a final block says.
async fn until_nonce(client: &mut LedgerClient, account: &AccountId, nonce: u64) -> Result<(), String> {
    loop {
        let row = client.account(account).await.map_err(|error| explain(&error))?.row;
        if row.is_some_and(|row| row.nonce >= nonce) {
            return Ok(());
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}
