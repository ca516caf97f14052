use holdfast_core::block::{BlockId, Codec};
use holdfast_core::id::{Amount, NetworkId};
use holdfast_ledger::params::Params;
use holdfast_ledger::transaction::Transfer;
use holdfast_proofs::header::Height;
use holdfast_proofs::profile::Profile;

use super::*;
use crate::keystore::AccountKey;
use crate::order::Purchase;

const NETWORK: NetworkId = NetworkId::new([7; 32]);

fn record(seed: u8, content: &[u8]) -> Record {
    let cid = BlockId::of(Codec::Raw, content);
    let purchase = Purchase { cid, piece_bytes: 10, profile: Profile::COPY4, epochs: 3 };
    sign(seed, purchase.payload(Amount(5)))
}

fn sign(seed: u8, payload: Payload) -> Record {
    let key = AccountKey::from_seed(&[seed; 32]);
    let signed = Signed::at(&NETWORK, &key, &Params::default(), (4, Height(100)), payload).unwrap();
    Record { signed, proof: Some("/some/file.proof".into()), done: false }
}

#[test]
fn records_are_kept_by_account_and_network_until_they_are_removed() {
    let folder = tempfile::tempdir().unwrap();
    let journal = Journal::open(folder.path(), &NETWORK);
    let (one, two, other) = (record(1, b"one"), record(1, b"two"), record(2, b"one"));
    assert!(journal.of(&one.account()).unwrap().is_empty());
    for record in [&one, &two, &other] {
        journal.write(record).unwrap();
    }
    let ids = |account| {
        let records = journal.of(&account).unwrap();
        records.iter().map(Record::id).collect::<std::collections::BTreeSet<_>>()
    };
    assert_eq!(ids(one.account()), [one.id(), two.id()].into());
    assert_eq!(ids(other.account()), [other.id()].into());
    assert!(Journal::open(folder.path(), &NetworkId::new([8; 32])).of(&one.account()).unwrap().is_empty());

    journal.write(&Record { done: true, ..one.clone() }).unwrap();
    let read = journal.get(&one.id()).unwrap().unwrap();
    assert!(read.done && read.signed.transaction == one.signed.transaction && read.proof == one.proof);
    assert_eq!(read.place().epochs, 3);
    journal.remove(&one.id()).unwrap();
    journal.remove(&one.id()).unwrap();
    assert!(journal.get(&one.id()).unwrap().is_none());
    assert_eq!(ids(one.account()), [two.id()].into());
}

/// Who cannot read what was paid must not pay again.
#[test]
fn a_damaged_record_is_an_error_and_other_files_are_none() {
    let folder = tempfile::tempdir().unwrap();
    let journal = Journal::open(folder.path(), &NETWORK);
    let record = record(1, b"one");
    journal.write(&record).unwrap();
    let path = journal.path(&record.id());
    fs::write(path.with_file_name("notes.toml"), "x").unwrap();
    fs::write(path.with_file_name(".tmp123"), "x").unwrap();
    assert_eq!(journal.of(&record.account()).unwrap().len(), 1);
    let transfer = Transfer { to: record.account(), amount: Amount(1) };
    let transfer = sign(1, Payload::Transfer(transfer));
    for text in ["", "transaction = \"00\"\ndone = false\n", &transfer.text(), &record.text()[..300]] {
        fs::write(&path, text).unwrap();
        assert!(matches!(journal.of(&record.account()), Err(JournalError::Damaged { .. })), "{text}");
    }
}
