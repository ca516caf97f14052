use holdfast_core::codec::Bounded;
use holdfast_core::ed25519::SecretKey;
use holdfast_core::id::Amount;
use proptest::prelude::*;

use super::*;
use crate::account::AccountId;
use crate::block::{BlockTime, Height};
use crate::execute::{BlockError, Draft, Executed, check, check_received, propose};
use crate::genesis::{Allotment, LedgerGenesis};
use crate::memory::MemoryLedger;
use crate::params::Params;
use crate::transaction::{Body, Payload, Transaction, TransactionError, Transfer};

const NETWORK: NetworkId = NetworkId::new([9; 32]);

fn ledger() -> MemoryLedger {
    let account = AccountId::of(SecretKey::from_seed(&[1; 32]).public());
    let allotments = Bounded::new(vec![Allotment { account, amount: Amount(1_000) }]).unwrap();
    let genesis = LedgerGenesis { time: BlockTime(1), params: Params::default(), allotments };
    MemoryLedger::new(genesis.execute(&NETWORK).unwrap())
}

fn block(ledger: &MemoryLedger, count: u64) -> Executed {
    let key = SecretKey::from_seed(&[1; 32]);
    let sender = AccountId::of(key.public());
    let pay = |nonce| {
        let payload = Payload::Transfer(Transfer { to: sender, amount: Amount(1) });
        let body = Body { sender, nonce, fee: Amount(0), valid_until: Height(1 << 40), payload };
        Transaction::sign(body, &NETWORK, &key).check(&NETWORK).unwrap()
    };
    let draft = Draft { time: BlockTime(2), proposer: sender };
    propose(ledger.parent(), draft, (0..count).map(pay).collect()).unwrap()
}

#[test]
fn a_received_block_is_the_block_and_keeps_its_bytes() {
    for count in [0, 1, 23, 24, 300] {
        let ledger = ledger();
        let executed = block(&ledger, count);
        let bytes = executed.block().to_bytes();
        let received = ReceivedBlock::check(bytes.clone(), &NETWORK).unwrap();
        assert_eq!(received.block(), executed.block());
        assert_eq!(peek_header(&bytes).as_ref(), Ok(&executed.block().header));
        let again = check_received(ledger.parent(), received).unwrap();
        assert_eq!(*again.block_bytes(), bytes);
        assert_eq!(*executed.block_bytes(), bytes);
        let decoded = Block::from_bytes(&bytes).unwrap().check(&NETWORK).unwrap();
        assert_eq!(check(ledger.parent(), decoded).unwrap().block(), again.block());
    }
}

#[test]
fn a_received_block_is_refused_as_any_other() {
    let ledger = ledger();
    let executed = block(&ledger, 3);
    let mut forged = executed.block().to_block();
    let mut transactions = forged.transactions.to_vec();
    transactions[2].body.nonce = 7;
    forged.transactions = Bounded::new(transactions).unwrap();
    let refused = ReceivedBlock::check(forged.to_bytes(), &NETWORK);
    assert!(matches!(
        refused,
        Err(MalformedBlock::Transaction { index: 2, source: TransactionError::Signature(_) })
    ));
    let mut other = executed.block().to_block();
    other.header.time = BlockTime(3);
    other.header.state = crate::tree::StateRoot::new([1; 32]);
    let received = ReceivedBlock::check(other.to_bytes(), &NETWORK).unwrap();
    let refused = check_received(ledger.parent(), received);
    assert!(matches!(refused, Err(BlockError::Header { what: "state" })));
}

#[test]
fn a_claim_of_more_than_there_is_ends() {
    // Lists of lists of 2^64 − 1 items, a string longer than memory, a map of too many pairs.
    for hostile in [
        &[0x9b, 255, 255, 255, 255, 255, 255, 255, 255, 0x9b, 255, 255, 255, 255, 255, 255, 255, 255][..],
        &[0x82, 0x5b, 255, 255, 255, 255, 255, 255, 255, 255],
        &[0x82, 0xbb, 255, 255, 255, 255, 255, 255, 255, 255],
        &[0x82, 0x9f, 0xff],
        &[0x82],
        &[],
    ] {
        assert!(peek_header(hostile).is_err(), "{hostile:02x?}");
        assert!(ReceivedBlock::check(hostile.to_vec(), &NETWORK).is_err());
    }
}

proptest! {
    /// Whatever a stranger sends, cut or changed, is judged like a block that is decoded.
    #[test]
    fn a_changed_block_is_read_or_refused_as_when_it_is_decoded(
        at in 0..900_usize, byte: u8, cut in 0..900_usize,
    ) {
        let mut bytes = block(&ledger(), 3).block().to_bytes();
        if let Some(changed) = bytes.get_mut(at) {
            *changed = byte;
        }
        for bytes in [bytes.clone(), bytes[..cut.min(bytes.len())].to_vec()] {
            let decoded = Block::from_bytes(&bytes);
            if let Ok(block) = &decoded {
                prop_assert_eq!(peek_header(&bytes), Ok(block.header.clone()));
            }
            let expected = decoded.map_err(MalformedBlock::from).and_then(|block| block.check(&NETWORK));
            let received = ReceivedBlock::check(bytes, &NETWORK).map(|received| received.block);
            prop_assert_eq!(received, expected);
        }
    }
}
