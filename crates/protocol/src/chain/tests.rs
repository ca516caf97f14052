use holdfast_core::bls;
use holdfast_core::codec::{decode, encode};
use holdfast_core::ed25519::{PublicKey, Signature};
use holdfast_core::frame::MESSAGE_BYTES_MAX;
use holdfast_core::id::{Amount, NodeId, hex};
use holdfast_ledger::receipt::{Event, EventPosition, OrderEnded};
use holdfast_ledger::transaction::{Body, Payload, TRANSACTION_BYTES_MAX, Transfer};
use holdfast_proofs::genesis::Weight;
use holdfast_proofs::header::{Header, Round, StateRoot};
use holdfast_proofs::list::ListRoot;
use holdfast_proofs::validators::{Validator, ValidatorSet};
use holdfast_proofs::vote::Finality;

use super::*;
use crate::golden::check;
use crate::peer::PeerMessage;

const TWO: [u8; 32] = [2; 32];
const AT: EventPosition = EventPosition { height: Height(300), index: 4 };
/// [`AT`] on the wire.
const AT_BYTES: &str = "8219012c04";

fn two() -> String {
    format!("5820{}", "02".repeat(32))
}

fn account() -> AccountId {
    AccountId::of(PublicKey::new(TWO))
}

fn transaction() -> Transaction {
    let payload = Payload::Transfer(Transfer { to: account(), amount: Amount(5) });
    let body = Body { sender: account(), nonce: 3, fee: Amount(7), valid_until: Height(300), payload };
    Transaction { body, signature: Signature::new([6; 64]) }
}

/// [`transaction`] on the wire.
fn transaction_bytes() -> String {
    let amount = |last: u8| format!("50{}{last:02x}", "00".repeat(15));
    [
        "82", // body, signature
        "85",
        &two(),
        "03",
        &amount(7),
        "19012c", // sender, nonce, fee, valid until
        "8201",
        "82",
        &two(),
        &amount(5), // a transfer: to, amount
        "5840",
        &"06".repeat(64),
    ]
    .concat()
}

fn signed() -> SignedHeader {
    let header = Header {
        height: Height(300),
        parent: BlockHash::new(TWO),
        time: BlockTime(1000),
        round: Round(1),
        proposer: NodeId::new(TWO),
        seal: bls::Signature::new([2; 48]),
        validators: ValidatorsId::new(TWO),
        next_validators: ValidatorsId::new(TWO),
        transactions: ListRoot::new(TWO),
        receipts: ListRoot::new(TWO),
        state: StateRoot::new(TWO),
    };
    let finality: Finality = decode(&finality_bytes(), 128).unwrap();
    SignedHeader { header, finality }
}

/// Round 1, the first of up to eight validators, and a signature.
fn finality_bytes() -> Vec<u8> {
    [&[0x83, 1, 0x41, 1, 0x58, 48][..], &[2; 48]].concat()
}

/// [`signed`] on the wire.
fn signed_bytes() -> String {
    [
        "82", // header, finality
        "8b",
        "19012c",
        &two(),
        "1903e8",
        "01",
        &two(), // height, parent, time, round, proposer
        "5830",
        &"02".repeat(48), // seal
        &two(),
        &two(),
        &two(),
        &two(),
        &two(), // validators, next, transactions, receipts, state
        &hex(&finality_bytes()),
    ]
    .concat()
}

fn receipt() -> Receipt {
    Receipt { transaction: TransactionId::new(TWO), failure: None, events: Bounded::default() }
}

/// [`receipt`] on the wire.
fn receipt_bytes() -> String {
    format!("83{}f680", two())
}

#[test]
fn questions_have_these_bytes() {
    check(&ChainRequest::Status(()), &["8201", "f6"]);
    let row = RowQuery { key: vec![7], trusted: ValidatorsId::new(TWO) };
    check(&ChainRequest::Row(row), &["8202", "82", "4107", &two()]);
    check(&ChainRequest::Header(None), &["8203", "f6"]);
    check(&ChainRequest::Header(Some(Height(300))), &["8203", "19012c"]);
    check(&ChainRequest::Submit(transaction()), &["8204", &transaction_bytes()]);
    check(&ChainRequest::Transaction(TransactionId::new(TWO)), &["8205", &two()]);
    check(&ChainRequest::Blocks(BlocksQuery { from: Height(300), most: 9 }), &["8206", "82", "19012c", "09"]);
    check(&ChainRequest::Events(AT), &["8207", AT_BYTES]);
    let history = |before| ChainRequest::History(HistoryQuery { account: account(), before });
    check(&history(None), &["8208", "82", &two(), "f6"]);
    check(&history(Some(AT)), &["8208", "82", &two(), AT_BYTES]);
    check(&ChainRequest::Undecided(BlockHash::new(TWO)), &["8209", &two()]);
    let many = Bounded::new(vec![transaction(), transaction()]).unwrap();
    check(&ChainRequest::SubmitMany(many), &["820a", "82", &transaction_bytes(), &transaction_bytes()]);
    check(&ChainRequest::Snapshot(ValidatorsId::new(TWO)), &["820b", &two()]);
    let chunk = |after| ChainRequest::Chunk(ChunkQuery { height: Height(300), after });
    check(&chunk(vec![]), &["820c", "82", "19012c", "40"]);
    check(&chunk(vec![1, 7]), &["820c", "82", "19012c", "420107"]);
    let orders = |after| ChainRequest::Orders(OrdersQuery { account: account(), after });
    check(&ChainRequest::Validators(ValidatorsId::new(TWO)), &["820e", &two()]);
    check(&orders(None), &["820d", "82", &two(), "f6"]);
    check(&orders(Some(OrderId::new(TWO))), &["820d", "82", &two(), &two()]);
}

#[test]
fn answers_have_these_bytes() {
    let status = ChainStatus {
        network: NetworkId::new(TWO),
        height: Height(300),
        hash: BlockHash::new(TWO),
        time: BlockTime(1000),
        epoch: Epoch(4),
        earliest: Height(1),
        waiting: 24,
    };
    let bytes = ["8201", "87", &two(), "19012c", &two(), "1903e8", "04", "01", "1818"];
    check(&ChainReply::Status(status), &bytes);
    check(&ChainReply::Data(300), &["8202", "19012c"]);
    check(&ChainReply::Header(None), &["8203", "f6"]);
    check(&ChainReply::Header(Some(signed())), &["8203", &signed_bytes()]);
    check(&ChainReply::Submitted(TransactionId::new(TWO)), &["8204", &two()]);
    check(&ChainReply::Refused(Text::new("no").unwrap()), &["8205", "626e6f"]);
    check(&ChainReply::Transaction(None), &["8206", "f6"]);
    let state = |height, receipt| ChainReply::Transaction(Some(TransactionState { height, receipt }));
    check(&state(None, None), &["8206", "82", "f6", "f6"]);
    check(&state(Some(Height(300)), Some(receipt())), &["8206", "82", "19012c", &receipt_bytes()]);
    check(&ChainReply::Unavailable(Text::new("no").unwrap()), &["8207", "626e6f"]);
    check(&ChainReply::NotTaken(24), &["8208", "1818"]);
}

#[test]
fn data_have_these_bytes() {
    let proof: RowProof = decode(&[&[0x82, 0x80, 0x81, 0x58, 32][..], &TWO].concat(), 128).unwrap();
    let next =
        Validator { node: NodeId::new(TWO), bls: bls::PublicKeyBytes::new([2; 96]), weight: Weight::ONE };
    let handover = Handover { last: signed(), next: ValidatorSet::new(vec![next]).unwrap() };
    let next_bytes = ["81", "81", "83", &two(), "5860", &"02".repeat(96), "01"].concat();
    let handovers = Bounded::new(vec![handover.clone()]).unwrap();
    let snapshot = SnapshotAnswer { handovers, header: signed() };
    check(&snapshot, &["82", "81", "82", &signed_bytes(), &next_bytes, &signed_bytes()]);
    let answer = RowAnswer {
        handovers: Bounded::new(vec![handover]).unwrap(),
        header: signed(),
        row: Some(ByteBuf::from([9])),
        proof: proof.clone(),
    };
    let proof_bytes = ["82", "80", "81", &two()].concat();
    let bytes = ["84", "81", "82", &signed_bytes(), &next_bytes, &signed_bytes(), "4109", &proof_bytes];
    check(&answer, &bytes);
    let none = RowAnswer { handovers: Bounded::default(), header: signed(), row: None, proof };
    check(&none, &["84", "80", &signed_bytes(), "f6", &proof_bytes]);

    let block = BlockAnswer { block: ByteBuf::from([1]), finality: ByteBuf::from([2, 3]) };
    check(&Blocks { blocks: Bounded::new(vec![block]).unwrap() }, &["81", "81", "82", "4101", "420203"]);

    let ended = OrderEnded { order: holdfast_core::id::OrderId::new(TWO), refunded: Amount(5) };
    let placed = PlacedEvent { position: AT, event: Event::OrderEnded(ended) };
    let page = EventPage { events: Bounded::new(vec![placed]).unwrap(), next: AT };
    let amount = format!("50{}05", "00".repeat(15));
    check(&page, &["82", "81", "82", AT_BYTES, "8209", "82", &two(), &amount, AT_BYTES]);

    let orders = |next| OrderPage { orders: Bounded::new(vec![OrderId::new(TWO)]).unwrap(), next };
    check(&orders(None), &["82", "81", &two(), "f6"]);
    check(&orders(Some(OrderId::new(TWO))), &["82", "81", &two(), &two()]);

    let entry = HistoryEntry { position: AT, transaction: transaction(), receipt: receipt() };
    let page = HistoryPage { entries: Bounded::new(vec![entry]).unwrap(), next: Some(AT) };
    check(&page, &["82", "81", "83", AT_BYTES, &transaction_bytes(), &receipt_bytes(), AT_BYTES]);
}

/// What is longer than its limit is refused while it is read.
#[test]
fn limits_are_kept() {
    let row = |key: usize| encode(&(2, (serde_bytes::ByteBuf::from(vec![7; key]), ValidatorsId::new(TWO))));
    let reads = |bytes: &[u8]| decode::<ChainRequest>(bytes, MESSAGE_BYTES_MAX).is_ok();
    for (key, fits) in [(0, false), (1, true), (ROW_KEY_BYTES_MAX, true), (ROW_KEY_BYTES_MAX + 1, false)] {
        assert_eq!(reads(&row(key)), fits, "a key of {key} bytes");
    }
    for (key, fits) in [(0, true), (ROW_KEY_BYTES_MAX, true), (ROW_KEY_BYTES_MAX + 1, false)] {
        let chunk = encode(&(12, (Height(1), ByteBuf::from(vec![7; key]))));
        assert_eq!(reads(&chunk), fits, "a key of {key} bytes");
    }
    let many = |count: usize| encode(&(10, vec![transaction(); count]));
    assert!(reads(&many(SUBMIT_MAX)) && !reads(&many(SUBMIT_MAX + 1)));
    let blocks = |count: usize| encode(&[vec![(ByteBuf::new(), ByteBuf::new()); count]]);
    assert!(decode::<Blocks>(&blocks(BLOCKS_MAX), BLOCKS_BYTES_MAX).is_ok());
    assert!(decode::<Blocks>(&blocks(BLOCKS_MAX + 1), BLOCKS_BYTES_MAX).is_err());
    let history =
        |count: usize| encode(&(vec![(AT, transaction(), receipt()); count], None::<EventPosition>));
    assert!(decode::<HistoryPage>(&history(PAGE_MAX), PAGE_BYTES_MAX).is_ok());
    assert!(decode::<HistoryPage>(&history(PAGE_MAX + 1), PAGE_BYTES_MAX).is_err());
    for number in [0, 15, 255] {
        assert!(!reads(&encode(&(number, ()))), "question {number}");
    }
}

/// A longest transaction fits into every message that carries one.
#[test]
fn the_longest_transaction_fits_into_a_message() {
    let alone = encode(&transaction()).len();
    let many = Bounded::new(vec![transaction()]).unwrap();
    let messages = [
        encode(&ChainRequest::Submit(transaction())),
        encode(&ChainRequest::SubmitMany(many.clone())),
        encode(&PeerMessage::Transactions(many)),
    ];
    for message in messages {
        assert!(message.len() - alone + TRANSACTION_BYTES_MAX <= MESSAGE_BYTES_MAX);
    }
}
