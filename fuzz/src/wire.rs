//! Every wire type, under the number that selects it in the input of the target `codec`.

use std::any::type_name;
use std::fmt::Debug;

use holdfast_consensus::guard::Guard;
use holdfast_consensus::message::Message;
use holdfast_consensus::record::{RECORD_BYTES_MAX, Record};
use holdfast_core::block::BlockId;
use holdfast_core::bls::{self, Possession};
use holdfast_core::codec::{self, Bounded, Text};
use holdfast_core::ed25519;
use holdfast_core::frame::MESSAGE_BYTES_MAX;
use holdfast_core::id::{
    Amount, BoxKey, CommitteeId, Epoch, NetworkId, NodeId, OrderId, PieceRoot, Salt, Timestamp,
};
use holdfast_core::tree::{ChunkProof, Sibling};
use holdfast_enclave::call::{Answer, Availability, Call, Identity, Signed};
use holdfast_ledger::block::{BLOCK_BYTES_MAX, Block, Header};
use holdfast_ledger::chunk::{CHUNK_BYTES_MAX, Chunk};
use holdfast_ledger::genesis::{CONTENTS_BYTES_MAX, Contents};
use holdfast_ledger::governance::Motion;
use holdfast_ledger::params::Params;
use holdfast_ledger::receipt::{RECEIPTS_BYTES_MAX, Receipts};
use holdfast_ledger::registry::Node;
use holdfast_ledger::stake::Bond;
use holdfast_ledger::storage::Order;
use holdfast_ledger::transaction::{TRANSACTION_BYTES_MAX, Transaction};
use holdfast_proofs::bundle::{BUNDLE_BYTES_MAX, Bundle};
use holdfast_proofs::certificate::{CERTIFICATE_BYTES_MAX, Certificate};
use holdfast_proofs::committee::CommitteeRecord;
use holdfast_proofs::genesis::{
    GENESIS_BYTES_MAX, Genesis, GenesisProofs, Member, MemberProof, PROOFS_BYTES_MAX, Weight,
};
use holdfast_proofs::light::{Handover, SignedHeader};
use holdfast_proofs::profile::Profile;
use holdfast_proofs::row::RowProof;
use holdfast_proofs::statement::{Coding, Durability, Statement};
use holdfast_proofs::validators::ValidatorSet;
use holdfast_proofs::vote::{FINALITY_BYTES_MAX, Finality, Vote};
use holdfast_protocol::ask::{AskReply, AskRequest, NodeInfo, PieceInfo};
use holdfast_protocol::chain::{
    BLOCKS_BYTES_MAX, Blocks, ChainReply, ChainRequest, EventPage, HistoryPage, OrderPage, PAGE_BYTES_MAX,
    ROW_ANSWER_BYTES_MAX, RowAnswer, SNAPSHOT_ANSWER_BYTES_MAX, SnapshotAnswer,
};
use holdfast_protocol::get::{GetReply, WANT_MAX, Want};
use holdfast_protocol::link::Start;
use holdfast_protocol::peer::PeerMessage;
use holdfast_protocol::put::{Offer, PutReply, PutRequest, Reason, Refusal};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Longest chunk proof: a whole chunk and 54 siblings.
pub const CHUNK_PROOF_BYTES_MAX: usize = 4096;

/// Longest proof of a row: 256 siblings.
pub const ROW_PROOF_BYTES_MAX: usize = 16 << 10;

/// A type that travels.
pub struct WireType {
    name: fn() -> &'static str,
    check: fn(&[u8], usize),
    max: usize,
}

/// All of them. A new one goes to the end, or the corpora of others lose their meaning.
pub const TYPES: &[WireType] = &[
    // core
    message::<BlockId>(),
    message::<Bounded<BlockId, WANT_MAX>>(),
    message::<Text<64>>(),
    message::<Amount>(),
    message::<Epoch>(),
    message::<Timestamp>(),
    message::<NetworkId>(),
    message::<NodeId>(),
    message::<PieceRoot>(),
    message::<CommitteeId>(),
    message::<OrderId>(),
    message::<Salt>(),
    message::<BoxKey>(),
    message::<ed25519::PublicKey>(),
    message::<ed25519::Signature>(),
    message::<bls::PublicKeyBytes>(),
    message::<bls::Signature>(),
    message::<Possession>(),
    message::<Sibling>(),
    wire_type::<ChunkProof>(CHUNK_PROOF_BYTES_MAX),
    // proofs
    wire_type::<Genesis>(GENESIS_BYTES_MAX),
    wire_type::<Member>(GENESIS_BYTES_MAX),
    message::<Weight>(),
    message::<Profile>(),
    wire_type::<GenesisProofs>(PROOFS_BYTES_MAX),
    wire_type::<MemberProof>(PROOFS_BYTES_MAX),
    wire_type::<CommitteeRecord>(GENESIS_BYTES_MAX),
    message::<Statement>(),
    message::<Coding>(),
    message::<Durability>(),
    wire_type::<Certificate>(CERTIFICATE_BYTES_MAX),
    wire_type::<Bundle>(BUNDLE_BYTES_MAX),
    // protocol
    message::<PutRequest>(),
    message::<Offer>(),
    message::<PutReply>(),
    message::<Refusal>(),
    message::<Reason>(),
    message::<Want>(),
    message::<GetReply>(),
    message::<AskRequest>(),
    message::<AskReply>(),
    message::<PieceInfo>(),
    message::<NodeInfo>(),
    // enclave
    message::<Call>(),
    message::<Availability>(),
    message::<Answer>(),
    message::<Identity>(),
    message::<Signed>(),
    // protocol
    message::<Start>(),
    // ledger
    wire_type::<Contents>(CONTENTS_BYTES_MAX),
    message::<Header>(),
    wire_type::<Transaction>(TRANSACTION_BYTES_MAX),
    wire_type::<Block>(BLOCK_BYTES_MAX),
    wire_type::<RowProof>(ROW_PROOF_BYTES_MAX),
    wire_type::<ValidatorSet>(GENESIS_BYTES_MAX),
    message::<Vote>(),
    wire_type::<Finality>(FINALITY_BYTES_MAX),
    message::<SignedHeader>(),
    wire_type::<Handover>(GENESIS_BYTES_MAX),
    message::<Params>(),
    message::<Node>(),
    message::<Order>(),
    message::<Motion>(),
    message::<Bond>(),
    // consensus
    message::<Message>(),
    wire_type::<Record>(RECORD_BYTES_MAX),
    message::<Guard>(),
    // protocol, of the ledger
    message::<ChainRequest>(),
    message::<ChainReply>(),
    wire_type::<RowAnswer>(ROW_ANSWER_BYTES_MAX),
    wire_type::<Blocks>(BLOCKS_BYTES_MAX),
    wire_type::<EventPage>(PAGE_BYTES_MAX),
    wire_type::<HistoryPage>(PAGE_BYTES_MAX),
    wire_type::<Receipts>(RECEIPTS_BYTES_MAX),
    wire_type::<Chunk>(CHUNK_BYTES_MAX),
    wire_type::<SnapshotAnswer>(SNAPSHOT_ANSWER_BYTES_MAX),
    wire_type::<OrderPage>(PAGE_BYTES_MAX),
    message::<PeerMessage>(),
];

const fn wire_type<T: Serialize + DeserializeOwned + PartialEq + Debug>(max: usize) -> WireType {
    WireType { name: type_name::<T>, check: check::<T>, max }
}

const fn message<T: Serialize + DeserializeOwned + PartialEq + Debug>() -> WireType {
    wire_type::<T>(MESSAGE_BYTES_MAX)
}

impl WireType {
    /// Decodes bytes as this type; see [`check`].
    ///
    /// # Panics
    /// As [`check`] does.
    pub fn check(&self, bytes: &[u8]) {
        (self.check)(bytes, self.max);
    }
}

/// Decodes bytes as a `T`.
///
/// # Panics
/// If they are accepted without being the one encoding of their value.
pub fn check<T: Serialize + DeserializeOwned + PartialEq + Debug>(bytes: &[u8], max: usize) {
    if let Ok(value) = codec::decode::<T>(bytes, max) {
        let again = codec::encode(&value);
        assert_eq!(again, bytes, "a second encoding of {value:?}");
        assert_eq!(codec::decode::<T>(&again, max).as_ref(), Ok(&value), "another value");
    }
}

/// An input of the target `codec`: the type's number, then the value.
///
/// # Panics
/// If the type is not in [`TYPES`].
pub fn seed<T: Serialize>(value: &T) -> Vec<u8> {
    let place = TYPES.iter().position(|known| (known.name)() == type_name::<T>());
    let place = place.unwrap_or_else(|| panic!("{} is not in the list of wire types", type_name::<T>()));
    let mut bytes = vec![u8::try_from(place).expect("fewer than 256 types")];
    bytes.extend(codec::encode(value));
    bytes
}
