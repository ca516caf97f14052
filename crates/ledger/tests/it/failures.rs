//! Failures of FileFileGo's chain, by the numbers of our notes, that must not happen here. C1–C5 and C14 stand beside execution.

use holdfast_core::codec;
use holdfast_core::ed25519::{self, SecretKey};
use holdfast_core::id::Amount;
use holdfast_ledger::account::{AccountId, AccountIdError};
use holdfast_ledger::block::{BLOCK_BYTES_MAX, Block, Height, Round};
use holdfast_ledger::execute::{BLOCK_CHECKS_MAX, BlockError, Draft, Unfit, check, propose};
use holdfast_ledger::genesis::{Allotment, ContentsError};
use holdfast_ledger::governance::{Action, SetAuthority, Support};
use holdfast_ledger::memory::MemoryLedger;
use holdfast_ledger::params::Params;
use holdfast_ledger::receipt::Failure;
use holdfast_ledger::supply::CAP;
use holdfast_ledger::testing::{TestChain, TestLedger, free, owner, rich};
use holdfast_ledger::transaction::{
    Body, CheckedTransaction, Payload, TRANSACTION_BYTES_MAX, Transaction, TransactionError, Transfer,
};
use holdfast_ledger::units::Money;
use holdfast_proofs::testing::{TestNetwork, member};

use crate::golden::list;

fn pay(amount: Amount) -> Payload {
    Payload::Transfer(Transfer { to: AccountId::of(owner(1).public()), amount })
}

/// A transaction of [`rich`] that offers a fee.
fn offering(chain: &TestChain, nonce: u64, fee: Amount, payload: Payload) -> CheckedTransaction {
    let (network, key) = (chain.test.network.genesis.network(), rich());
    let sender = AccountId::of(key.public());
    let body = Body { sender, nonce, fee, valid_until: Height(100), payload };
    Transaction::sign(body, &network, &key).check(&network).unwrap()
}

fn unfit(chain: &TestChain, transactions: Vec<CheckedTransaction>) -> Unfit {
    match chain.test.next(chain.ledger.parent(), transactions) {
        Err(BlockError::Transaction { source, .. }) => source,
        other => panic!("{other:?}"),
    }
}

/// C1, C4: what was signed or made for one network is worth nothing in another, even with the same accounts and keys.
#[test]
fn nothing_is_replayed_on_another_network() {
    let mut chain = TestChain::new(4, free());
    let other = TestChain::new(4, Params { slash_percent: 7, ..free() });
    let transaction = chain.transaction(&rich(), pay(Amount(5)));
    let elsewhere = other.test.network.genesis.network();
    let refused = transaction.transaction().clone().check(&elsewhere);
    assert!(matches!(refused, Err(TransactionError::Signature(_))));
    let block = chain.block(1000, vec![]).block().clone();
    assert!(matches!(check(other.ledger.parent(), block.clone()), Err(BlockError::Parent)));
    // Nor does a seal of one network do in another.
    let Draft { time, round, proposer, .. } = other.test.draft(other.ledger.parent(), 1000);
    let draft = Draft { time, round, proposer, seal: block.header.seal };
    assert!(matches!(propose(other.ledger.parent(), draft, vec![]), Err(BlockError::Seal)));
}

/// C8: the signers were compiled in. Who was removed proposes no block from the next epoch on.
#[test]
fn a_validator_that_was_removed_proposes_nothing() {
    let mut chain = TestChain::new(4, free());
    let gone = member(4).node;
    let action = Action::Authority(SetAuthority { node: gone, weight: None });
    for by in 1..=3 {
        let by_node = member(by).node;
        chain.done(&owner(by), Payload::Support(Support { by: by_node, action: action.clone() }));
    }
    chain.next_epoch();
    let parent = chain.ledger.parent();
    let seal = chain.test.seal(parent, &gone);
    for round in 0..8 {
        let draft = Draft { round: Round(round), proposer: gone, seal, ..chain.test.draft(parent, 1000) };
        assert!(matches!(propose(parent, draft, vec![]), Err(BlockError::Proposer)));
    }
}

/// C9: transactions were free, with 300,000 bytes of data.
#[test]
fn every_byte_is_paid() {
    let chain = TestChain::new(4, Params { fee_flat: Amount(100), fee_byte: Amount(3), ..free() });
    let enough = offering(&chain, 0, Amount::ZERO, pay(Amount(5)));
    let needed = Amount(100 + 3 * enough.bytes() as u128);
    let refused = |fee| unfit(&chain, vec![offering(&chain, 0, fee, pay(Amount(5)))]);
    for offered in [Amount::ZERO, Amount(needed.0 - 1)] {
        assert_eq!(refused(offered), Unfit::Fee { needed, offered });
    }
    let paid = offering(&chain, 0, needed, pay(Amount(5)));
    assert!(chain.test.next(chain.ledger.parent(), vec![paid]).is_ok());
}

/// C9: no transaction is longer than its bound, and none carries bytes that nobody reads.
#[test]
fn nothing_opaque_is_in_a_transaction() {
    let chain = TestChain::new(4, free());
    let bytes = offering(&chain, 0, Amount::ZERO, pay(Amount(5))).transaction().to_bytes();
    assert!(Transaction::from_bytes(&bytes).is_ok());
    let long = [&bytes[..], &vec![0; 300_000]].concat();
    assert!(Transaction::from_bytes(&long).is_err());
    let payload = codec::encode(&pay(Amount(5)));
    for number in [0, 15, 23] {
        let mut unknown = payload.clone();
        unknown[1] = number;
        assert!(codec::decode::<Payload>(&unknown, TRANSACTION_BYTES_MAX).is_err(), "payload {number}");
    }
    // Data under a payload that knows none.
    let more = codec::encode(&(1_u8, (AccountId::of(rich().public()), Amount(5), vec![0_u8; 64])));
    assert!(codec::decode::<Payload>(&more, TRANSACTION_BYTES_MAX).is_err());
}

/// C10: blocks were longer than what could be sent or synced.
#[test]
fn a_block_that_cannot_be_sent_or_executed_in_time_is_not_made() {
    let chain = TestChain::new(4, free());
    let parent = chain.ledger.parent();
    let claim = Payload::Support(Support {
        by: member(1).node,
        action: Action::Authority(SetAuthority { node: member(1).node, weight: None }),
    });
    let one = offering(&chain, 0, Amount::ZERO, claim);
    let refused = chain.test.next(parent, vec![one; BLOCK_CHECKS_MAX + 1]);
    assert!(matches!(refused, Err(BlockError::TooLarge { checks, .. }) if checks == BLOCK_CHECKS_MAX + 1));
    assert!(Block::from_bytes(&vec![0x80; BLOCK_BYTES_MAX + 1]).is_err());
}

/// C13: an address in other letters was another one, so what was paid to it was not found.
#[test]
fn an_account_is_written_in_one_way() {
    let account = AccountId::of(rich().public());
    let text = account.to_string();
    assert_eq!(text.parse(), Ok(account));
    let mixed: String = text
        .chars()
        .enumerate()
        .map(|(at, c)| if at % 2 == 0 { c } else { c.to_ascii_uppercase() })
        .collect();
    for other in [text.to_uppercase(), mixed, format!(" {text}"), format!("0x{text}"), String::new()] {
        assert_eq!(other.parse::<AccountId>(), Err(AccountIdError::Text), "{other:?}");
    }
}

/// Amounts were hexadecimal text: what could not be read was zero, or negative.
#[test]
fn an_amount_is_sixteen_bytes() {
    for length in [0, 1, 15, 17, 32] {
        let mut bytes = vec![0x40 + length];
        if length > 23 {
            bytes = vec![0x58, length];
        }
        bytes.extend(vec![0xff; length.into()]);
        assert!(codec::decode::<Amount>(&bytes, 64).is_err(), "{length} bytes");
    }
    // A number, a negative one, a text.
    for other in [&[0x05][..], &[0x24], &[0x63, b'0', b'x', b'5']] {
        assert!(codec::decode::<Amount>(other, 64).is_err());
    }
    for text in ["0x10 FFG", "-1 FFG", "1e18 FFGOne", "+1 FFG", " 1 FFG", "1,5 FFG", "١ FFG"] {
        assert!(text.parse::<Money>().is_err(), "{text:?}");
    }
}

/// Sums that wrap around are nobody's money.
#[test]
fn what_is_more_than_all_money_is_not_paid() {
    let mut chain = TestChain::new(4, free());
    let before = chain.balance(&rich());
    for amount in [u128::MAX, u128::MAX - before.0 + 1, CAP.0 + 1, before.0 + 1] {
        assert_eq!(chain.fails(&rich(), pay(Amount(amount))), Failure::Balance);
    }
    let nonce = chain.transaction(&rich(), pay(Amount(1))).body().nonce;
    for fee in [Amount(u128::MAX), Amount(before.0 + 1)] {
        assert_eq!(unfit(&chain, vec![offering(&chain, nonce, fee, pay(Amount(1)))]), Unfit::Unpayable);
    }
    // A fee that takes all leaves nothing to pay with.
    let executed = chain.block(1000, vec![offering(&chain, nonce, before, pay(Amount(1)))]);
    assert_eq!(executed.receipts().transactions[0].failure, Some(Failure::Balance));
    assert_eq!(chain.balance(&rich()), Amount::ZERO);
}

/// The plain sum of rewards passed the cap that was advertised, and genesis could allot anything.
#[test]
fn genesis_allots_no_more_than_the_cap() {
    let account = |number: u8| AccountId::of(SecretKey::from_seed(&[number; 32]).public());
    let found = |amounts: &[u128]| {
        let mut contents = TestLedger::new(4, free()).contents;
        let allotment =
            |(number, amount): (u8, &u128)| Allotment { account: account(number), amount: Amount(*amount) };
        let mut allotments: Vec<_> = (1..).zip(amounts).map(allotment).collect();
        allotments.sort_by_key(|allotment| allotment.account);
        contents.allotments = list(allotments);
        contents.found(&TestNetwork::with_ledger(4, contents.hash()).genesis).map(drop)
    };
    assert_eq!(found(&[CAP.0 - 1, 1]), Ok(()));
    assert_eq!(found(&[CAP.0, 1]), Err(ContentsError::Cap));
    assert_eq!(found(&[u128::MAX, u128::MAX]), Err(ContentsError::Cap));
    assert!(matches!(found(&[0]), Err(ContentsError::Nothing { .. })));
}

/// What a ledger begins with keeps all its rules, for whoever founds it.
#[test]
fn contents_that_break_a_rule_are_refused() {
    let good = TestLedger::new(4, free()).contents;
    let found = |change: &dyn Fn(&mut holdfast_ledger::genesis::Contents)| {
        let mut contents = good.clone();
        change(&mut contents);
        contents.found(&TestNetwork::with_ledger(4, contents.hash()).genesis).map(drop)
    };
    assert_eq!(found(&|_| {}), Ok(()));
    let twice = |contents: &mut holdfast_ledger::genesis::Contents| {
        contents.allotments = list([contents.allotments.to_vec(), contents.allotments.to_vec()].concat());
    };
    assert!(matches!(found(&twice), Err(ContentsError::Order { .. })));
    assert_eq!(
        found(&|contents| contents.owners = list(contents.owners[1..].to_vec())),
        Err(ContentsError::Owners)
    );
    let swap = |contents: &mut holdfast_ledger::genesis::Contents| {
        let mut owners = contents.owners.to_vec();
        owners.reverse();
        contents.owners = list(owners);
    };
    assert_eq!(found(&swap), Err(ContentsError::Owners));
    let nobody = |contents: &mut holdfast_ledger::genesis::Contents| {
        let mut owners = contents.owners.to_vec();
        owners[0].account = AccountId::of(ed25519::PublicKey::new([0; 32]));
        contents.owners = list(owners);
    };
    assert!(matches!(found(&nobody), Err(ContentsError::Account { .. })));
    assert!(matches!(found(&|contents| contents.params.slash_percent = 101), Err(ContentsError::Params(_))));
    let genesis = TestNetwork::with_ledger(4, good.hash()).genesis;
    let mut other = good.clone();
    other.params.fee_flat = Amount(1);
    assert_eq!(other.found(&genesis).map(drop), Err(ContentsError::Other));
    assert_eq!(good.found(&TestNetwork::new(4).genesis).map(drop), Err(ContentsError::Other));
}

/// A transaction that was executed is not executed again, not even after its account was emptied and filled again.
#[test]
fn a_transaction_is_executed_once() {
    let mut chain = TestChain::new(4, free());
    let poor = SecretKey::from_seed(&[0x55; 32]);
    let fill =
        |amount| Payload::Transfer(Transfer { to: AccountId::of(poor.public()), amount: Amount(amount) });
    chain.done(&rich(), fill(10));
    let all = chain.transaction(&poor, pay(Amount(10)));
    chain.block(1000, vec![all.clone()]);
    assert_eq!(chain.balance(&poor), Amount::ZERO);
    chain.done(&rich(), fill(10));
    assert_eq!(unfit(&chain, vec![all]), Unfit::Nonce { expected: 1, found: 0 });
}

/// The end of the chain, and of time, are errors and no panics.
#[test]
fn no_block_follows_the_last() {
    let chain = TestChain::new(4, free());
    let mut header = chain.ledger.header().clone();
    header.height = Height(u64::MAX);
    let memory: &MemoryLedger = &chain.ledger;
    let parent = holdfast_ledger::execute::Parent { header: &header, rows: memory, pages: memory };
    let draft = chain.test.draft(chain.ledger.parent(), 1000);
    assert!(matches!(propose(parent, draft, vec![]), Err(BlockError::Last)));
}
