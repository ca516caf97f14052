//! Hashes, roots, names, turns and rewards as the specification's words give them, and proofs of rows.

use std::collections::BTreeMap;

use holdfast_core::bls::Signature;
use holdfast_core::codec;
use holdfast_core::id::{NetworkId, hex};
use holdfast_core::purpose::Signable;
use holdfast_ledger::account::AccountId;
use holdfast_ledger::governance::MotionId;
use holdfast_ledger::state::{Changes, RowKey, RowsError};
use holdfast_ledger::storage::order_id;
use holdfast_ledger::supply::reward;
use holdfast_ledger::transaction::TransactionId;
use holdfast_ledger::tree::{Child, Page, PageKey, Pages, Path, TreeChanges, prove};
use holdfast_proofs::header::{Beacon, BlockHash, Height, Round, Seal};
use holdfast_proofs::list::ListRoot;
use holdfast_proofs::row::RowProof;
use serde_json::Value;

use crate::blocks::{contents, header, transaction, validators};
use crate::golden::{bytes, parts, unhex};
use crate::payloads::{actions, registration, vote};
use crate::receipts::receipts;
use crate::wire_type::check_wire_type;

const PAIRS: &str = include_str!("../../testdata/pairs.json");
const ROW_PROOFS: &str = include_str!("../../testdata/row_proofs.json");

/// Bytes of a proof with 256 siblings.
const ROW_PROOF_BYTES_MAX: usize = 16 << 10;

fn pairs() -> Value {
    serde_json::from_str(PAIRS).unwrap()
}

fn field(value: &Value, name: &str) -> Vec<u8> {
    unhex(value[name].as_str().unwrap())
}

#[test]
fn roots_of_lists() {
    let pairs = pairs();
    for pair in pairs["list roots"].as_array().unwrap() {
        let objects = pair["objects"].as_array().unwrap().iter();
        let objects = objects.map(|object| unhex(object.as_str().unwrap()).try_into().unwrap());
        assert_eq!(hex(ListRoot::of(objects).as_bytes()), pair["root"].as_str().unwrap());
    }
    assert_eq!(hex(receipts().root().as_bytes()), pairs["receipts root"].as_str().unwrap());
}

#[test]
fn the_beacon_after_a_seal() {
    let pair = &pairs()["beacon"];
    let before = Beacon::new(field(pair, "before").try_into().unwrap());
    let seal = Signature::new(field(pair, "seal").try_into().unwrap());
    assert_eq!(hex(before.after(&seal).as_bytes()), pair["after"].as_str().unwrap());
}

#[test]
fn names() {
    let pairs = pairs();
    let name = |what: &str| pairs["names"][what].as_str().unwrap().to_owned();
    let id = TransactionId::new(codec::digest(&transaction()));
    let named = "transaction id, and that of an order";
    assert_eq!((hex(id.as_bytes()), hex(order_id(id).as_bytes())), (name(named), name(named)));
    assert_eq!(hex(header().hash().as_bytes()), name("block hash"));
    assert_eq!(hex(validators().id().as_bytes()), name("validators"));
    assert_eq!(hex(contents().hash().as_bytes()), name("contents"));
    for (what, action) in actions() {
        let id = MotionId::new(codec::digest(&action));
        assert_eq!(hex(id.as_bytes()), name(&format!("motion ({what})")));
    }
}

/// The bytes that are signed, so that no other program signs something else.
#[test]
fn what_is_signed() {
    let network = NetworkId::new([9; 32]);
    let pairs = pairs();
    let same = |what: &str, input: Vec<u8>| {
        assert_eq!(hex(&input), pairs["signing inputs"][what].as_str().unwrap(), "{what}");
    };
    same("transaction", transaction().body.signing_input(&network));
    same("registration", registration().signing_input(&network));
    same("vote", vote(Some(BlockHash::new([8; 32]))).signing_input(&network));
    same("no vote", vote(None).signing_input(&network));
    let seal = Seal { beacon: Beacon::new([1; 32]), height: Height(258) };
    same("seal", seal.signing_input(&network));
}

#[test]
fn turns_and_rewards() {
    let (pairs, set) = (pairs(), validators());
    for turn in pairs["turns"].as_array().unwrap() {
        let number = |name: &str| turn[name].as_u64().unwrap();
        let round = Round(u32::try_from(number("round")).unwrap());
        let proposer = set.proposer(Height(number("height")), round).node;
        assert_eq!(set.place(&proposer).unwrap() as u64, number("place"), "{turn}");
    }
    for pair in pairs["rewards"].as_array().unwrap() {
        let units = reward(Height(pair["height"].as_u64().unwrap())).0;
        assert_eq!(units.to_string(), pair["units"].as_str().unwrap(), "{pair}");
    }
}

/// The keys need not be usable to be written.
#[test]
fn accounts_as_text() {
    for pair in pairs()["accounts"].as_array().unwrap() {
        let key = field(pair, "key").try_into().unwrap();
        let account = AccountId::of(holdfast_core::ed25519::PublicKey::new(key));
        assert_eq!(account.to_string(), pair["text"].as_str().unwrap());
    }
}

/// A tree over some rows and nothing else.
#[derive(Default)]
struct Tree {
    top: Child,
    pages: BTreeMap<PageKey, Page>,
}

impl Pages for Tree {
    fn page(&self, key: &PageKey) -> Result<Option<Page>, RowsError> {
        Ok(self.pages.get(key).cloned())
    }

    fn top(&self) -> Result<Child, RowsError> {
        Ok(self.top)
    }
}

#[test]
fn state_roots_and_proofs_of_rows() {
    let state = &pairs()["state"];
    let rows: Vec<_> = state["rows"].as_array().unwrap().iter().collect();
    let address = |bytes: Vec<u8>| RowKey::from_bytes(bytes).unwrap();
    let mut all = TreeChanges::default();
    for pair in state["roots"].as_array().unwrap() {
        let count = usize::try_from(pair["rows"].as_u64().unwrap()).unwrap();
        let changes: Changes = rows[..count]
            .iter()
            .map(|row| (address(field(row, "address")), Some(field(row, "row"))))
            .collect();
        all = TreeChanges::of(&Tree::default(), &changes).unwrap();
        assert_eq!(hex(all.root().as_bytes()), pair["root"].as_str().unwrap(), "{count} rows");
    }
    for row in &rows {
        let path = Path::of(&address(field(row, "address")));
        assert_eq!(hex(path.as_bytes()), row["path"].as_str().unwrap());
    }

    let root = all.root();
    let pages = all.pages.into_iter().filter_map(|(key, page)| Some((key, page?))).collect();
    let tree = Tree { top: all.top, pages };
    for (name, there) in [("presence", true), ("nothing instead", false), ("another instead", false)] {
        let key = address(field(&state["proofs"], name));
        let proof = prove(&tree, &key).unwrap();
        check_wire_type(&proof, &parts(ROW_PROOFS, name), ROW_PROOF_BYTES_MAX);
        let read: RowProof = codec::decode(&bytes(ROW_PROOFS, name), ROW_PROOF_BYTES_MAX).unwrap();
        let row =
            rows.iter().find(|row| field(row, "address") == key.as_bytes()).map(|row| field(row, "row"));
        assert_eq!(row.is_some(), there);
        assert_eq!(read.verify(&root, &key, row.as_deref()), Ok(()));
        assert!(read.verify(&root, &key, if there { None } else { Some(&[]) }).is_err());
    }
}
