//! Proofs of rows that are there and of others, blocks, texts, and pages.

use holdfast_core::codec::{self, Bounded, Text};
use holdfast_fuzz::ledger::{BLOCK, LEDGER, TEST, row};
use holdfast_fuzz::wire::seed;
use holdfast_ledger::chunk::Chunk;
use holdfast_ledger::receipt::EventPosition;
use holdfast_ledger::tree::{Page, prove};
use holdfast_proofs::header::{Height, Round};
use holdfast_proofs::light::{Handover, SignedHeader};
use holdfast_proofs::validators::{ValidatorSet, Validators};
use holdfast_proofs::vote::Finality;
use holdfast_protocol::chain::{
    BlockAnswer, Blocks, BlocksQuery, ChainReply, ChainRequest, ChunkQuery, EventPage, HistoryEntry,
    HistoryPage, HistoryQuery, OrderPage, OrdersQuery, PlacedEvent, RowAnswer, RowQuery, SnapshotAnswer,
    TransactionState,
};
use holdfast_protocol::peer::PeerMessage;

/// For the target `ledger`.
pub(crate) fn proofs() -> Vec<Vec<u8>> {
    let about = |number: u8, rest: &[u8]| [&[number, number], rest].concat();
    let proof = |number: u8| {
        let proof = prove(&*LEDGER, &row(number)).expect("memory can be read");
        about(number, &codec::encode(&proof))
    };
    let texts = ["hf1", "1.5 FFG", "7 FFGOne", "0.25microFFG"].map(|text| about(0, text.as_bytes()));
    let pages = BLOCK.tree().pages.values().flatten().map(Page::to_bytes).collect::<Vec<_>>();
    let pages = pages.iter().map(|page| about(0, page));
    let account = BLOCK.block().transactions[0].body().sender.to_string();
    let others = [about(0, account.as_bytes()), about(0, &BLOCK.block().to_bytes())];
    (0..60).step_by(6).map(proof).chain(texts).chain(pages).chain(others).collect()
}

/// For the target `codec`.
pub(crate) fn values() -> Vec<Vec<u8>> {
    let block = BLOCK.block().to_block();
    let proof = prove(&*LEDGER, &row(3)).expect("memory can be read");
    let transaction = block.transactions[0].clone();
    let mut seeds =
        vec![seed(&TEST.contents), seed(&block.header), seed(&transaction), seed(&block), seed(&proof)];
    seeds.extend(chain());
    let chunk = Chunk::fill(&*LEDGER, None).expect("memory can be read").expect("it has rows");
    seeds.extend([seed(BLOCK.receipts()), seed(&chunk)]);
    seeds
}

/// Questions about the ledger, and answers.
fn chain() -> Vec<Vec<u8>> {
    let block = BLOCK.block().to_block();
    let validators = ValidatorSet::of_genesis(&TEST.network.genesis).expect("test networks are valid");
    let admitted = Validators::admitted(validators.clone()).expect("test keys are valid");
    let signature = TEST.seal(LEDGER.parent(), &validators.validators[0].node);
    let finality = Finality::of(Round(0), &[(0, signature)], &admitted).expect("a seal is a signature");
    let header = SignedHeader { header: block.header.clone(), finality: finality.clone() };
    let handovers =
        Bounded::new(vec![Handover { last: header.clone(), next: validators.clone() }]).expect("one");
    let proof = prove(&*LEDGER, &row(3)).expect("memory can be read");
    let row = RowAnswer { handovers, header: header.clone(), row: Some(vec![1, 2, 3].into()), proof };
    let answer = BlockAnswer { block: block.to_bytes().into(), finality: finality.to_bytes().into() };
    let position = EventPosition { height: Height(1), index: 0 };
    let transaction = BLOCK.block().transactions[0].clone();
    let receipt = BLOCK.receipts().transactions[0].clone();
    let event = BLOCK.receipts().events().next().expect("a block rewards").clone();
    let id = transaction.id();
    let transaction = transaction.transaction().clone();
    let state = TransactionState { height: Some(Height(1)), receipt: Some(receipt.clone()) };
    let entry = HistoryEntry { position, transaction: transaction.clone(), receipt };
    let account = transaction.body.sender;
    let requests = [
        ChainRequest::Status(()),
        ChainRequest::Row(RowQuery { key: vec![1, 2], trusted: validators.id() }),
        ChainRequest::Header(Some(Height(1))),
        ChainRequest::Submit(transaction.clone()),
        ChainRequest::Transaction(id),
        ChainRequest::Blocks(BlocksQuery { from: Height(1), most: 9 }),
        ChainRequest::Events(position),
        ChainRequest::History(HistoryQuery { account, before: Some(position) }),
        ChainRequest::Undecided(block.header.hash()),
        ChainRequest::SubmitMany(Bounded::new(vec![transaction]).expect("one")),
        ChainRequest::Snapshot(validators.id()),
        ChainRequest::Chunk(ChunkQuery { height: Height(1), after: vec![1, 2] }),
        ChainRequest::Orders(OrdersQuery { account, after: None }),
        ChainRequest::Validators(validators.id()),
    ];
    let replies = [
        ChainReply::Data(300),
        ChainReply::Header(Some(header)),
        ChainReply::Submitted(id),
        ChainReply::Refused(Text::cut("no")),
        ChainReply::Transaction(Some(state)),
        ChainReply::Unavailable(Text::cut("no")),
        ChainReply::NotTaken(1),
    ];
    let events = Bounded::new(vec![PlacedEvent { position, event }]).expect("one");
    let mut seeds: Vec<_> = requests.iter().map(seed).collect();
    seeds.extend(replies.iter().map(seed));
    seeds.extend([
        seed(&row),
        seed(&Blocks { blocks: Bounded::new(vec![answer]).expect("one") }),
        seed(&EventPage { events, next: position }),
        seed(&HistoryPage { entries: Bounded::new(vec![entry]).expect("one"), next: Some(position) }),
        seed(&SnapshotAnswer { handovers: Bounded::default(), header: row.header.clone() }),
        seed(&OrderPage { orders: Bounded::default(), next: None }),
        seed(&PeerMessage::Transactions(Bounded::default())),
    ]);
    seeds
}

/// For the target `execute`: who, what, which node, which order, and what else the payload asks; the last byte spoils nothing.
pub(crate) fn lives() -> Vec<Vec<u8>> {
    let ask = |choices: &[u8]| [&[u8::try_from(choices.len()).expect("few")], choices].concat();
    let block = |ends: bool, asked: &[Vec<u8>]| {
        let count = u8::try_from(asked.len()).expect("fewer than eight");
        [&[count | if ends { 128 } else { 0 }][..], &asked.concat()].concat()
    };
    let place = ask(&[0, 8, 0, 0, 0, 1, 0, 5, 9, 0]);
    let activate = |slot: u8, until: u8| ask(&[1, 9, 0, 0, 0, 0, until, slot, 0]);
    let (renew, cancel, claim) =
        (ask(&[0, 10, 0, 0, 3, 9, 0]), ask(&[0, 11, 0, 0, 0]), ask(&[1, 12, 0, 0, 0]));
    let register = ask(&[6, 1, 1, 0, 0, 0]);
    let pay = |to: u8| ask(&[0, 0, 0, 0, to, 254, 0]);
    let lock = [ask(&[1, 4, 0, 0, 100, 0]), ask(&[1, 5, 0, 0, 50, 0]), ask(&[1, 6, 0, 0, 0])];
    let accuse = |about: u8| ask(&[2, 7, 4, 0, 0, about, 0]);
    let report = |by: u8| ask(&[by, 3, 4, 0, 0, by - 1, 0]);
    let support = |by: u8, action: u8| ask(&[by, 13, by - 1, 0, action, 5, 1, 0]);
    let epoch = || block(true, &[]);
    let all = |blocks: &[Vec<u8>]| blocks.concat();
    let lives = [
        all(&[
            block(false, std::slice::from_ref(&place)),
            block(false, &[activate(7, 5)]),
            epoch(),
            block(false, std::slice::from_ref(&claim)),
        ]),
        all(&[block(false, std::slice::from_ref(&place)), epoch(), epoch(), epoch()]),
        all(&[
            block(false, &[place.clone(), activate(7, 5), renew]),
            epoch(),
            block(true, &[cancel]),
            epoch(),
        ]),
        all(&[
            block(false, &[place, activate(1, 2)]),
            epoch(),
            block(false, &[activate(7, 3)]),
            epoch(),
            epoch(),
        ]),
        all(&[
            block(false, &[pay(6)]),
            block(false, &[register]),
            block(false, &[]),
            epoch(),
            block(false, &[claim]),
        ]),
        all(&[
            block(false, &[pay(1)]),
            block(false, &lock[..2]),
            epoch(),
            epoch(),
            epoch(),
            block(false, &lock[2..]),
        ]),
        all(&[block(false, &[accuse(16)]), block(false, &[accuse(129)]), epoch()]),
        all(&[block(false, &(1..5).map(report).collect::<Vec<_>>()), block(false, &[])]),
        all(&[block(false, &(1..5).map(|by| support(by, 6)).collect::<Vec<_>>()), epoch()]),
        all(&[block(true, &[]), block(false, &(1..5).map(|by| support(by, 2)).collect::<Vec<_>>()), epoch()]),
    ];
    lives.iter().flat_map(|life| [0, 1].map(|fees| [&[fees], &life[..]].concat())).collect()
}
