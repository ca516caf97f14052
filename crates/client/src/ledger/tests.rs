use holdfast_core::bls::Signature;
use holdfast_core::id::NodeId;
use holdfast_core::purpose::Signable;
use holdfast_ledger::account::Account;
use holdfast_net::Keypair;
use holdfast_proofs::genesis::Weight;
use holdfast_proofs::header::{BlockTime, Header, Round, StateRoot};
use holdfast_proofs::list::ListRoot;
use holdfast_proofs::row::RowProof;
use holdfast_proofs::testing::{keys, member};
use holdfast_proofs::validators::{Validator, ValidatorSet, Validators};
use holdfast_proofs::vote::{Finality, Step, Vote};

use super::*;
use crate::testing::StubNetwork;

/// Members 1, 2 and 3, who decide, and one more.
fn set(fourth: u8) -> ValidatorSet {
    let validator = |number: u8| {
        let member = member(number);
        Validator { node: member.node, bls: member.bls, weight: Weight::ONE }
    };
    ValidatorSet::new([1, 2, 3, fourth].map(validator).to_vec()).unwrap()
}

/// A header of a ledger without rows, decided by a set, which names the next.
fn signed(network: &Network, height: u64, by: &ValidatorSet, next: &ValidatorSet) -> SignedHeader {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis();
    let header = Header {
        height: Height(height),
        parent: BlockHash::new([1; 32]),
        time: BlockTime(u64::try_from(now).unwrap()),
        round: Round(0),
        proposer: NodeId::new([0; 32]),
        seal: Signature::new([0; 48]),
        validators: by.id(),
        next_validators: next.id(),
        transactions: ListRoot::of([]),
        receipts: ListRoot::of([]),
        state: StateRoot::new([0; 32]),
    };
    let vote =
        Vote { height: Height(height), round: Round(0), step: Step::Precommit, block: Some(header.hash()) };
    let input = vote.signing_input(network.id());
    let sign = |number: u8| (by.place(&member(number).node).unwrap(), keys(number).1.sign(&input));
    let validators = Validators::admitted(by.clone()).unwrap();
    let finality = Finality::of(Round(0), &[1, 2, 3].map(sign), &validators).unwrap();
    SignedHeader { header, finality }
}

/// More changes of validators than one answer holds: the first was refused as a whole, and nobody who came new could follow.
#[tokio::test]
async fn whoever_is_far_behind_follows_in_several_steps() {
    let stub = StubNetwork::start(Params::default(), 60).await;
    let network = stub.network();
    let net = Net::start(Keypair::generate_ed25519(), &[]).await.unwrap();
    let mut client = LedgerClient::new(net, network.clone()).unwrap();
    let sets = [set(4), set(5), set(6)];
    let fourth = |change: usize| sets[change % 3].clone();
    let changes = HANDOVERS_MAX + 7;
    let all: Vec<_> = (0..changes)
        .map(|change| {
            let (old, next) = (fourth(change), fourth(change + 1));
            Handover { last: signed(&network, 10 * (change as u64 + 1), &old, &next), next }
        })
        .collect();
    let last = signed(&network, 10_000, &fourth(changes), &fourth(changes));
    let key = RowKey::new(Account::TABLE, &[7; 32]);
    let proof: RowProof = codec::decode(&[0x82, 0x80, 0x80], 3).unwrap();
    let answer = |handovers: &[Handover]| RowAnswer {
        handovers: Bounded::new(handovers.to_vec()).unwrap(),
        header: last.clone(),
        row: None,
        proof: proof.clone(),
    };
    let (first, second) = all.split_at(HANDOVERS_MAX);
    // A part that is no full answer leads nowhere; what it shows of the way holds all the same.
    let short = client.judge(&key, answer(&first[..3]));
    assert!(matches!(short, Err(AnswerError::Light(_))));
    assert_eq!(client.handovers.len(), 3);
    let further = client.judge(&key, answer(first)).unwrap();
    assert!(further.is_none() && client.handovers.len() == HANDOVERS_MAX);
    let (_, header) = client.judge(&key, answer(second)).unwrap().unwrap();
    assert_eq!((header.header().height, client.handovers.len()), (Height(10_000), changes));
}
