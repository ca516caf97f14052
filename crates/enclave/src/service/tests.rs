use super::*;
use crate::host::{Host, HostError};
use holdfast_core::block::{BlockId, Codec};
use holdfast_core::bls;
use holdfast_core::id::{Epoch, NetworkId, PieceRoot};
use holdfast_proofs::statement::Statement;
use holdfast_proofs::testing::TestNetwork;
use std::io::Write;

/// An enclave in a thread, and the host's end of its socket.
fn start(folder: &Path) -> (Host, std::thread::JoinHandle<Result<(), EnclaveError>>) {
    let (ours, theirs) = UnixStream::pair().unwrap();
    let folder = folder.to_owned();
    let thread = std::thread::spawn(move || Enclave::open(&folder)?.serve(theirs));
    (Host::over(ours).unwrap(), thread)
}

/// Asks for one signature.
fn sign(host: &Host, network: &NetworkId, statement: &Statement) -> Result<bls::Signature, HostError> {
    let statements = Bounded::new(vec![statement.clone()]).unwrap();
    let mut signed = host.availability(network, &statements)?;
    signed.remove(0).map_err(HostError::Refused)
}

fn statement() -> (NetworkId, Statement) {
    let network = TestNetwork::new(4);
    let statement = network.statement(BlockId::of(Codec::Raw, b"hold fast"));
    (network.genesis.network(), statement)
}

#[test]
fn signatures_verify_under_the_keys_that_hello_named() {
    let folder = tempfile::tempdir().unwrap();
    let (host, thread) = start(folder.path());
    let identity = host.identity().clone();
    let (network, statement) = statement();
    let proof = host.possession(&network).unwrap();
    let key = identity.bls.prove_possession(identity.node, &network, &proof).unwrap();
    let signature = sign(&host, &network, &statement).unwrap();
    assert_eq!(key.verify(&statement.signing_input(&network), &signature), Ok(()));
    drop(host);
    thread.join().unwrap().unwrap();
}

#[test]
fn a_second_root_for_one_cid_is_refused_also_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let (network, first) = statement();
    let second = Statement { piece_root: PieceRoot::new([8; 32]), ..first.clone() };
    let later = Statement { retain_until: Epoch(9), ..first.clone() };

    let (host, thread) = start(folder.path());
    let signature = sign(&host, &network, &first).unwrap();
    assert!(matches!(sign(&host, &network, &second), Err(HostError::Refused(_))));
    let longer = Statement { piece_bytes: first.piece_bytes + 1, ..first.clone() };
    assert!(matches!(sign(&host, &network, &longer), Err(HostError::Refused(_))));
    drop(host);
    thread.join().unwrap().unwrap();

    let (host, thread) = start(folder.path());
    assert!(matches!(sign(&host, &network, &second), Err(HostError::Refused(_))));
    assert_eq!(sign(&host, &network, &first).unwrap(), signature, "repeating is harmless");
    sign(&host, &network, &later).unwrap();
    sign(&host, &NetworkId::new([1; 32]), &second).unwrap();
    drop(host);
    thread.join().unwrap().unwrap();
}

/// The database takes no write after a failed one, so a process that went on would sign nothing any more.
#[test]
fn an_enclave_whose_journal_fails_ends_so_that_it_is_started_again() {
    let folder = tempfile::tempdir().unwrap();
    let (network, statement) = statement();
    let (host, thread) = start(folder.path());
    sign(&host, &network, &statement).unwrap();
    drop(host);
    thread.join().unwrap().unwrap();
    Journal::open(folder.path()).unwrap().damage();

    let (host, thread) = start(folder.path());
    assert!(matches!(sign(&host, &network, &statement), Err(HostError::Failed(_))));
    thread.join().unwrap().unwrap();
    assert!(matches!(sign(&host, &network, &statement), Err(HostError::Gone(_))));
}

#[test]
fn only_statements_that_promise_something_are_signed() {
    let folder = tempfile::tempdir().unwrap();
    let (host, thread) = start(folder.path());
    let (network, good) = statement();
    let mut coding = good.clone();
    coding.coding.q = 1;
    let nothing = Statement { retain_until: Epoch(0), ..good };
    for bad in [coding, nothing] {
        assert!(matches!(sign(&host, &network, &bad), Err(HostError::Refused(_))));
    }
    drop(host);
    thread.join().unwrap().unwrap();
}

#[test]
fn garbage_from_the_host_ends_the_enclave_without_panic() {
    for garbage in [&[0x00, 0x00, 0x00, 0x01, 0xff][..], &[0xff; 64], &[0x00, 0x00, 0x00]] {
        let folder = tempfile::tempdir().unwrap();
        let (mut ours, theirs) = UnixStream::pair().unwrap();
        ours.write_all(garbage).unwrap();
        drop(ours);
        let enclave = Enclave::open(folder.path()).unwrap();
        let result = enclave.serve(theirs);
        assert!(result.is_err() || garbage.len() < 4, "{result:?}");
    }
}

#[test]
fn one_state_has_one_process() {
    let folder = tempfile::tempdir().unwrap();
    let _first = Enclave::open(folder.path()).unwrap();
    assert!(matches!(Enclave::open(folder.path()), Err(EnclaveError::Journal(_))));
}

#[test]
fn another_interface_version_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let enclave = Enclave::open(folder.path()).unwrap();
    assert!(matches!(enclave.answer(Call::Hello(1)), Answer::Refused(_)));
}

#[test]
fn many_statements_are_answered_one_by_one() {
    let folder = tempfile::tempdir().unwrap();
    let (host, thread) = start(folder.path());
    let (network, first) = statement();
    let second = Statement { piece_root: PieceRoot::new([8; 32]), ..first.clone() };
    let other = Statement { cid: BlockId::of(Codec::Raw, b"other"), ..second.clone() };
    let statements = Bounded::new(vec![first.clone(), second, other.clone(), first.clone()]).unwrap();
    let signed = host.availability(&network, &statements).unwrap();
    assert!(signed[1].as_ref().is_err_and(|why| why.contains("was signed with root")));
    assert_eq!(signed[0], signed[3]);
    assert_eq!(signed[0].clone().ok(), sign(&host, &network, &first).ok());
    assert_eq!(signed[2].clone().ok(), sign(&host, &network, &other).ok());
    drop(host);
    thread.join().unwrap().unwrap();
}

/// Whatever the host forgets: of two votes that contradict each other the enclave signs one, also after a restart.
#[test]
fn a_vote_that_contradicts_another_is_refused_also_after_a_restart() {
    use holdfast_proofs::header::{BlockHash, Height, Round};
    use holdfast_proofs::vote::{Step, Vote};

    let folder = tempfile::tempdir().unwrap();
    let (network, _) = statement();
    let vote = |round, block| {
        let block = Some(BlockHash::new([block; 32]));
        ToSign::Vote(Vote { height: Height(7), round: Round(round), step: Step::Prevote, block })
    };
    let (host, thread) = start(folder.path());
    let first = host.ballot(&network, vote(1, 1)).unwrap();
    assert_eq!(host.ballot(&network, vote(1, 1)).unwrap(), first);
    assert!(matches!(host.ballot(&network, vote(1, 2)), Err(HostError::Refused(_))));
    drop(host);
    thread.join().unwrap().unwrap();

    let (host, thread) = start(folder.path());
    assert!(matches!(host.ballot(&network, vote(1, 2)), Err(HostError::Refused(_))));
    assert!(matches!(host.ballot(&network, vote(0, 1)), Err(HostError::Refused(_))));
    assert_eq!(host.ballot(&network, vote(1, 1)).unwrap(), first);
    host.ballot(&network, vote(2, 2)).unwrap();
    // Another network is another ledger.
    host.ballot(&NetworkId::new([8; 32]), vote(0, 5)).unwrap();
    drop(host);
    thread.join().unwrap().unwrap();
}

#[test]
fn an_enclave_agrees_to_nothing_under_keys_of_others() {
    use holdfast_core::codec::Text;
    use holdfast_ledger::account::AccountId;
    use holdfast_ledger::registry::{Registration, Roles};
    use holdfast_proofs::genesis::Weight;

    let folder = tempfile::tempdir().unwrap();
    let (host, thread) = start(folder.path());
    let (network, own) = (statement().0, host.identity().clone());
    let text = Text::new("x").unwrap();
    let registration = Registration {
        owner: AccountId::of(own.ed25519),
        roles: Roles::ALL,
        ed25519: own.ed25519,
        bls: own.bls,
        box_key: own.box_key,
        operator: text.clone(),
        failure_domain: text.clone(),
        weight: Weight::ONE,
        peer: text,
    };
    let consent = host.consent(&network, &registration).unwrap();
    assert_eq!(own.ed25519.verify(&registration.signing_input(&network), &consent), Ok(()));
    let other = Registration { bls: bls::PublicKeyBytes::new([9; 96]), ..registration };
    assert!(matches!(host.consent(&network, &other), Err(HostError::Refused(_))));
    drop(host);
    thread.join().unwrap().unwrap();
}
