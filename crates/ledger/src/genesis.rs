//! What a ledger begins with: its first rows, and the block at height 0.

use holdfast_core::bls::Signature;
use holdfast_core::codec::{self, Bounded, DecodeError};
use holdfast_core::ed25519::Ed25519Error;
use holdfast_core::id::{Amount, Epoch, NodeId};
use holdfast_proofs::committee::CommitteeRecord;
use holdfast_proofs::genesis::{Authority as Founder, ContentsHash, Genesis, MEMBERS_MAX};
use holdfast_proofs::header::Beacon;
use holdfast_proofs::list::ListRoot;
use holdfast_proofs::validators::{ValidatorSet, ValidatorsError};
use serde_tuple::{Deserialize_tuple, Serialize_tuple};

use crate::account::{Account, AccountId};
use crate::block::{BlockHash, BlockTime, Header, Height, Round};
use crate::epoch::{Running, decide_from};
use crate::evidence::FirstBlock;
use crate::governance::Authority;
use crate::params::{Params, ParamsError};
use crate::receipt::Receipts;
use crate::registry::{self, Node};
use crate::state::{Changes, RowKey, Rows, RowsError, State};
use crate::supply::{CAP, Supply};
use crate::tree::{Child, Page, PageKey, Pages, TreeChanges};

/// Most allotments.
pub const ALLOTMENTS_MAX: usize = 4096;
/// Longest description of a ledger's beginning, in bytes.
pub const CONTENTS_BYTES_MAX: usize = 1 << 20;

/// Money that an account has from the beginning.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub struct Allotment {
    /// Who.
    pub account: AccountId,
    /// How much; not nothing.
    pub amount: Amount,
}

/// Who owns a member of genesis.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub struct Owner {
    /// The member.
    pub node: NodeId,
    /// Gets its pay and may change its entry.
    pub account: AccountId,
}

/// What a ledger begins with, besides the members and authorities of genesis. Genesis holds its hash.
#[derive(Clone, Debug, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub struct Contents {
    /// The first parameters.
    pub params: Params,
    /// One for each member of genesis, in their order.
    pub owners: Bounded<Owner, MEMBERS_MAX>,
    /// By ascending account.
    pub allotments: Bounded<Allotment, ALLOTMENTS_MAX>,
}

/// Why a ledger cannot begin like this.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ContentsError {
    /// Not a description of a beginning.
    #[error("not the contents of a ledger")]
    Decode(#[from] DecodeError),
    /// Genesis names others, or has no ledger.
    #[error("genesis names other contents, or none")]
    Other,
    /// Authorities of genesis.
    #[error("the authorities are refused")]
    Authorities(#[from] ValidatorsError),
    /// Parameters.
    #[error("the parameters are refused")]
    Params(#[from] ParamsError),
    /// Not one owner for each member, in their order.
    #[error("the owners are not those of the members, one for each and in their order")]
    Owners,
    /// Two members with one name.
    #[error("two members share a key or a peer id")]
    Members,
    /// Not in ascending order, or one account twice.
    #[error("allotment of {account} is out of order")]
    Order {
        /// The first out of order.
        account: AccountId,
    },
    /// An account that nobody can use.
    #[error("{account} is no usable account")]
    Account {
        /// Which.
        account: AccountId,
        /// Why.
        source: Ed25519Error,
    },
    /// An allotment of nothing.
    #[error("{account} is allotted nothing")]
    Nothing {
        /// Whose.
        account: AccountId,
    },
    /// More money than there may ever be.
    #[error("allotments are more than {} units, the cap", CAP.0)]
    Cap,
}

impl Contents {
    /// Reads contents; [`Contents::found`] checks them.
    ///
    /// # Errors
    /// If the bytes are none.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, ContentsError> {
        Ok(codec::decode(bytes, CONTENTS_BYTES_MAX)?)
    }

    /// The one encoding.
    pub fn to_bytes(&self) -> Vec<u8> {
        codec::encode(self)
    }

    /// What genesis holds of it.
    pub fn hash(&self) -> ContentsHash {
        ContentsHash::new(codec::digest(self))
    }

    fn validate(&self, genesis: &Genesis) -> Result<(), ContentsError> {
        self.params.validate()?;
        let nodes = self.owners.iter().map(|owner| owner.node);
        if !nodes.eq(genesis.members.iter().map(|member| member.node)) {
            return Err(ContentsError::Owners);
        }
        let usable = |account: AccountId| {
            account.key().validate().map_err(|source| ContentsError::Account { account, source })
        };
        self.owners.iter().try_for_each(|owner| usable(owner.account))?;
        let mut before = None;
        let mut sum = Amount::ZERO;
        for Allotment { account, amount } in self.allotments.iter() {
            let account = *account;
            if before.is_some_and(|before| before >= account) {
                return Err(ContentsError::Order { account });
            }
            before = Some(account);
            usable(account)?;
            if *amount == Amount::ZERO {
                return Err(ContentsError::Nothing { account });
            }
            sum = sum.plus(*amount).filter(|sum| *sum <= CAP).ok_or(ContentsError::Cap)?;
        }
        Ok(())
    }

    /// The first block of a network's ledger, and its rows. Its parent is the network id, so that no two networks share a
    /// block. `genesis` was validated.
    ///
    /// # Errors
    /// See [`ContentsError`].
    pub fn found(&self, genesis: &Genesis) -> Result<Founded, ContentsError> {
        let ledger = genesis.ledger.as_ref().filter(|ledger| ledger.contents == self.hash());
        let ledger = ledger.ok_or(ContentsError::Other)?;
        self.validate(genesis)?;
        let validators = ValidatorSet::of_genesis(genesis)?;
        let network = genesis.network();
        let record = CommitteeRecord::of_genesis(genesis);

        let mut state = State::over(&Nothing);
        let mut supply = Supply::default();
        for Allotment { account, amount } in self.allotments.iter() {
            state.put(Account::key(account), &Account { balance: *amount, nonce: 0 });
            supply.issued = supply.issued.plus(*amount).expect("the sum was checked");
        }
        state.put(&[], &supply);
        state.put(&[], &self.params);
        for (member, owner) in genesis.members.iter().zip(self.owners.iter()) {
            registry::claim(&mut state, member).map_err(|_| ContentsError::Members)?;
            let node = Node::of_genesis(owner.account, member.clone());
            state.put(member.node.as_bytes(), &node);
        }
        for Founder { node, weight } in ledger.authorities.iter() {
            state.put(node.as_bytes(), &Authority { weight: *weight });
        }
        let epoch = Epoch::GENESIS.0.to_be_bytes();
        let running = Running {
            network,
            epoch: Epoch::GENESIS,
            committee: record.id(),
            first: Height(0),
            end: genesis.end,
            ending: false,
        };
        state.put(&epoch, &record);
        state.put(&epoch, &FirstBlock(Height(0)));
        state.put(&[], &running);
        decide_from(&mut state, Height(1), &validators);
        state.put(&Height(0).0.to_be_bytes(), &Beacon::new(*network.as_bytes()));

        let changes = state.into_changes();
        let tree = TreeChanges::of(&Nothing, &changes).expect("nothing can be read");
        let header = Header {
            height: Height(0),
            parent: BlockHash::new(*network.as_bytes()),
            time: BlockTime::of_second(genesis.start),
            round: Round(0),
            proposer: NodeId::new([0; 32]),
            seal: Signature::new([0; 48]),
            validators: validators.id(),
            next_validators: validators.id(),
            transactions: ListRoot::of([]),
            receipts: Receipts::default().root(),
            state: tree.root(),
        };
        Ok(Founded { header, changes, tree })
    }
}

/// The block at height 0 and what it changes.
#[derive(Clone, Debug)]
pub struct Founded {
    /// It has no transactions.
    pub header: Header,
    /// All rows.
    pub changes: Changes,
    /// The tree over them.
    pub tree: TreeChanges,
}

/// Before there is anything.
struct Nothing;

impl Rows for Nothing {
    fn get(&self, _: &RowKey) -> Result<Option<Vec<u8>>, RowsError> {
        Ok(None)
    }

    fn after(&self, _: &RowKey) -> Result<Option<(RowKey, Vec<u8>)>, RowsError> {
        Ok(None)
    }
}

impl Pages for Nothing {
    fn page(&self, _: &PageKey) -> Result<Option<Page>, RowsError> {
        Ok(None)
    }

    fn top(&self) -> Result<Child, RowsError> {
        Ok(Child::Empty)
    }
}
