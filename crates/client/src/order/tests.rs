//! Orders against a ledger in this process.

use std::sync::Arc;

use holdfast_core::block::{BlockId, Codec};
use holdfast_core::id::NodeId;
use holdfast_ledger::params::Params;
use holdfast_ledger::testing::free;
use holdfast_ledger::units::FFG;
use holdfast_net::{Keypair, Net};
use holdfast_proofs::profile::Profile;
use holdfast_protocol::dispersal::Wait;
use holdfast_protocol::put::Offer;
use holdfast_store::import::{ImportProfile, import};
use tempfile::TempDir;

use super::*;
use crate::network::Network;
use crate::testing::{StubNetwork, rich};
use crate::{promise, put};

struct World {
    stub: StubNetwork,
    net: Net,
    home: TempDir,
    journal: Journal,
    key: AccountKey,
}

impl World {
    async fn new(params: Params, epoch_seconds: u64) -> Self {
        let stub = StubNetwork::start(params, epoch_seconds).await;
        let home = tempfile::tempdir().unwrap();
        let journal = Journal::open(&home.path().join("orders"), stub.network().id());
        let net = Net::start(Keypair::generate_ed25519(), &[]).await.unwrap();
        Self { stub, net, home, journal, key: rich() }
    }

    async fn orders(&self) -> Orders<'_> {
        let mut ledger = LedgerClient::new(self.net.clone(), self.stub.network()).unwrap();
        ledger.follow().await.unwrap();
        Orders { ledger, journal: &self.journal, key: &self.key }
    }

    /// Puts a file of these bytes on these terms.
    async fn put(&self, network: &Network, content: &[u8], terms: Terms) -> ValidCertificate {
        let path = self.home.path().join("file");
        std::fs::write(&path, content).unwrap();
        let dag = import(&path, ImportProfile::UNIXFS_V1_2025, self.home.path(), &mut |_| ()).unwrap();
        let plan = Arc::new(dag.plan().unwrap());
        let outcome =
            put::put(&self.net, network, plan, Profile::COPY4, terms, Wait::All, |_| ()).await.unwrap();
        outcome.certificate.unwrap()
    }

    fn purchase(&self, content: &[u8], epochs: u64) -> Purchase {
        let path = self.home.path().join("file");
        std::fs::write(&path, content).unwrap();
        let dag = import(&path, ImportProfile::UNIXFS_V1_2025, self.home.path(), &mut |_| ()).unwrap();
        let plan = dag.plan().unwrap();
        Purchase { cid: plan.root(), piece_bytes: plan.piece_bytes(), profile: Profile::COPY4, epochs }
    }

    fn balance(&self) -> Amount {
        self.stub.chain().account(&self.key.account()).balance
    }
}

const PROOF: &str = "file.proof";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_order_is_opened_put_activated_renewed_and_cancelled() {
    let world = World::new(Params::default(), 1000).await;
    let mut orders = world.orders().await;
    let purchase = world.purchase(b"kept", 10);
    let quote = orders.quote(&purchase).await.unwrap();
    let before = world.balance();
    let opened = orders.open(&purchase, None, Path::new(PROOF)).await.unwrap();
    assert!(!opened.resumed && opened.order.active.is_none() && opened.order.escrow == quote.escrow);
    let terms = opened.terms();
    assert_eq!(terms.retain_until, Epoch(10));
    let certificate = world.put(orders.ledger.network(), b"kept", terms).await;
    let id = opened.record.id();
    let order = orders.activate(&id, &certificate).await.unwrap();
    let active = order.active.unwrap();
    assert_eq!((active.promised, active.signers.len()), (Epoch(10), 4));
    // What was paid is what was quoted, but for bytes of numbers that were shorter.
    let paid = before.minus(world.balance()).unwrap();
    assert!(paid <= quote.total() && paid.0 + 40 * Params::default().fee_byte.0 > quote.total().0);
    orders.finish(opened.record).unwrap();

    // It is active already: nothing is sent.
    let sent = world.stub.chain().sent_by(&world.key.account()).len();
    orders.activate(&id, &certificate).await.unwrap();
    assert_eq!(world.stub.chain().sent_by(&world.key.account()).len(), sent);
    // It is paid already.
    let again = orders.open(&purchase, None, Path::new(PROOF)).await;
    assert!(matches!(again, Err(OrderError::Paid { order, until: Epoch(10) }) if order == id), "{again:?}");

    let (_, renewal) = orders.renewal(&id, 5).await.unwrap();
    assert_eq!((renewal.until, renewal.back), (Epoch(15), Amount::ZERO));
    let dear = orders.renew(&id, 5, Some(renewal.pays)).await;
    assert!(matches!(dear, Err(OrderError::Price { .. })), "the fee comes on top: {dear:?}");
    let before = world.balance();
    let (renewed, sent) = orders.renew(&id, 5, Some(Amount(FFG.0))).await.unwrap();
    assert_eq!((renewed.until, renewed.active.as_ref().unwrap().promised), (Epoch(15), Epoch(10)));
    let fee = world.stub.chain().sent_by(&world.key.account()).last().unwrap().body.fee;
    assert_eq!(before.minus(world.balance()), renewal.pays.plus(fee), "{sent:?}");
    // The providers promise as much, and no data moves.
    let terms = Terms { retain_until: renewed.until, order: Some(id) };
    let network = orders.ledger.network().clone();
    let offer = Offer::new(&network.committee, purchase.profile, purchase.cid, purchase.piece_bytes, terms);
    let root = renewed.active.unwrap().piece_root;
    let certificate = promise::promise(&world.net, &network, &offer, root).await.unwrap();
    let order = orders.activate(&id, &certificate).await.unwrap();
    assert_eq!(order.active.unwrap().promised, Epoch(15));

    let (left, _) = orders.cancel(&id).await.unwrap();
    assert_eq!(left.unwrap().until, Epoch(1), "the running epoch is still paid");
    assert!(world.journal.get(&id).unwrap().is_none());
    let unknown = OrderId::new([9; 32]);
    assert!(matches!(orders.cancel(&unknown).await, Err(OrderError::Missing(_))));
}

/// Killed before the transaction was sent, after it was sent, and after it is in a block: always the same order.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_interrupted_order_is_found_again_and_paid_once() {
    let world = World::new(free(), 1000).await;
    let mut orders = world.orders().await;
    let purchase = world.purchase(b"kept", 10);

    // Written down, and never sent.
    let signed = orders.ledger.sign(&world.key, purchase.payload(Amount(1)), Amount::ZERO).await.unwrap();
    let record = Record { signed, proof: None, done: false };
    world.journal.write(&record).unwrap();
    let before = world.balance();
    let opened = orders.open(&purchase, None, Path::new(PROOF)).await.unwrap();
    assert!(opened.resumed && opened.record.id() == record.id());

    // It is in a block.
    let again = orders.open(&purchase, None, Path::new(PROOF)).await.unwrap();
    assert!(again.resumed && again.record.id() == record.id());
    assert_eq!(before.minus(world.balance()), Some(opened.order.escrow), "paid once");
    let other = Purchase { epochs: 11, ..purchase };
    let other = orders.open(&other, None, Path::new(PROOF)).await;
    assert!(matches!(other, Err(OrderError::Other { epochs: 10, .. })), "{other:?}");

    // Sent, and waiting for a block.
    let next = world.purchase(b"next", 10);
    world.stub.chain().halted = true;
    {
        let open = orders.open(&next, None, Path::new(PROOF));
        assert!(tokio::time::timeout(std::time::Duration::from_secs(2), open).await.is_err());
    }
    assert_eq!(world.stub.chain().waiting.len(), 1);
    world.stub.chain().halted = false;
    let opened = orders.open(&next, None, Path::new(PROOF)).await.unwrap();
    assert!(opened.resumed);
    assert_eq!(world.journal.of(&world.key.account()).unwrap().len(), 2);
    let cost = before.minus(world.balance()).unwrap();
    assert_eq!(cost, again.order.escrow.plus(opened.order.escrow).unwrap());
}

/// A killed put left its activation behind, which waits for a block and has the nonce of the next one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_activation_that_waits_is_awaited() {
    let world = World::new(free(), 1000).await;
    let mut orders = world.orders().await;
    let purchase = world.purchase(b"kept", 10);
    let opened = orders.open(&purchase, None, Path::new(PROOF)).await.unwrap();
    let id = opened.record.id();
    let certificate = world.put(orders.ledger.network(), b"kept", opened.terms()).await;
    world.stub.chain().halted = true;
    let second = std::time::Duration::from_secs(1);
    assert!(tokio::time::timeout(second, orders.activate(&id, &certificate)).await.is_err());
    assert_eq!(world.stub.chain().waiting.len(), 1);
    // Valid until another height, so that it is another transaction.
    orders = world.orders().await;
    let signed = orders.ledger.sign(&world.key, purchase.payload(Amount(7)), Amount::ZERO).await.unwrap();
    let refused = orders.ledger.submit(&signed.transaction).await;
    assert!(matches!(refused, Err(LedgerError::Refused(_))), "{refused:?}");
    let (activated, ()) = tokio::join!(orders.activate(&id, &certificate), async {
        tokio::time::sleep(second / 4).await;
        world.stub.chain().halted = false;
    });
    assert!(activated.unwrap().active.is_some());
    assert_eq!(world.stub.chain().sent_by(&world.key.account()).len(), 2, "the order, and one activation");
}

/// The record of an order that is gone, or can never be, does not stand in the way of a new one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_gone_is_ordered_anew() {
    let world = World::new(free(), 1000).await;
    let mut orders = world.orders().await;
    let purchase = world.purchase(b"kept", 10);
    let opened = orders.open(&purchase, None, Path::new(PROOF)).await.unwrap();
    let before = world.balance();
    let (left, _) = orders.cancel(&opened.record.id()).await.unwrap();
    assert!(left.is_none(), "it was not active, so it ends at once");
    assert_eq!(world.balance().minus(before), Some(opened.order.escrow), "and everything comes back");

    // As if the cancelling command had been killed.
    world.journal.write(&opened.record).unwrap();
    let anew = orders.open(&purchase, None, Path::new(PROOF)).await.unwrap();
    assert!(!anew.resumed && anew.record.id() != opened.record.id());
    assert_eq!(world.journal.of(&world.key.account()).unwrap().len(), 1);

    // One that could be in a block until a height that is past, and was in none.
    let late = world.purchase(b"late", 10);
    let network = *world.stub.network().id();
    let place = (world.stub.chain().account(&world.key.account()).nonce, Height(1));
    let signed = Signed::at(&network, &world.key, &free(), place, late.payload(Amount(1))).unwrap();
    world.journal.write(&Record { signed, proof: None, done: false }).unwrap();
    assert!(!orders.open(&late, None, Path::new(PROOF)).await.unwrap().resumed);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_written_down_or_paid_that_is_refused() {
    let world = World::new(Params::default(), 1000).await;
    let mut orders = world.orders().await;
    let purchase = world.purchase(b"kept", 3000);
    let before = world.balance();
    let dear = orders.open(&purchase, Some(Amount(1000)), Path::new(PROOF)).await;
    assert!(matches!(dear, Err(OrderError::Price { limit: Amount(1000), .. })), "{dear:?}");
    let huge = Purchase { piece_bytes: 1 << 50, ..purchase };
    let poor = orders.open(&huge, None, Path::new(PROOF)).await;
    assert!(matches!(&poor, Err(OrderError::Balance { has, .. }) if *has == before), "{poor:?}");
    let more = Purchase { piece_bytes: u64::MAX, epochs: u64::MAX, ..purchase };
    assert!(matches!(orders.open(&more, None, Path::new(PROOF)).await, Err(OrderError::Unpayable)));
    assert!(world.journal.of(&world.key.account()).unwrap().is_empty());
    assert_eq!(world.balance(), before);
    // Whoever has nothing cannot even pay the fee.
    let stranger = AccountKey::from_seed(&[1; 32]);
    let mut theirs = Orders { key: &stranger, ..world.orders().await };
    let nothing = theirs.open(&purchase, None, Path::new(PROOF)).await;
    assert!(matches!(nothing, Err(OrderError::Balance { has: Amount::ZERO, .. })), "{nothing:?}");
    // And nobody changes the order of another.
    let id = orders.open(&purchase, None, Path::new(PROOF)).await.unwrap().record.id();
    assert!(matches!(theirs.cancel(&id).await, Err(OrderError::Owner(_))));
    assert!(matches!(theirs.renewal(&id, 1).await, Err(OrderError::Owner(_))));
    assert!(matches!(orders.renewal(&id, 1).await, Err(OrderError::NotActive(_))));
}

/// The committee of a later epoch is proven, and so is its record in a bundle.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn epochs_pass_and_the_client_follows() {
    let world = World::new(free(), 1).await;
    let mut orders = world.orders().await;
    while orders.ledger.follow().await.unwrap() < Epoch(2) {
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    let network = orders.ledger.network().clone();
    assert!(network.committee.record().epoch >= Epoch(2) && network.standing.proof.is_some());
    let earlier = orders.ledger.committee(Epoch(1)).await.unwrap();
    assert_eq!(earlier.record().epoch, Epoch(1));
    assert!(orders.ledger.committee(Epoch(1_000_000)).await.is_err());

    let head = orders.ledger.head().await.unwrap();
    assert!(head.bytes > 300 && head.handovers == 0);
    let signed = orders.ledger.header(Some(Height(1))).await.unwrap().unwrap();
    let checked = orders.ledger.check(signed.clone()).unwrap().unwrap();
    assert_eq!(checked.header().height, Height(1));
    let mut forged = signed.clone();
    forged.header.proposer = NodeId::new([0; 32]);
    assert!(orders.ledger.check(forged).unwrap().is_err());
    let mut strange = signed;
    strange.header.validators = holdfast_proofs::validators::ValidatorsId::new([0; 32]);
    assert!(orders.ledger.check(strange).is_none());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn slots_that_lack_a_piece_promise_nothing() {
    let world = World::new(free(), 1000).await;
    let network = world.stub.network();
    let terms = Terms::unpaid(&network.committee, 3);
    let cid = BlockId::of(Codec::Raw, b"nobody has it");
    let offer = Offer::new(&network.committee, Profile::COPY4, cid, 100, terms);
    let root = holdfast_core::id::PieceRoot::new([1; 32]);
    let refused = promise::promise(&world.net, &network, &offer, root).await;
    assert!(
        matches!(refused, Err(promise::PromiseError::TooFew { signed: 0, needed: 3, .. })),
        "{refused:?}"
    );
}
