//! The block at height 0: who has money before anything happened.

use holdfast_core::codec::Bounded;
use holdfast_core::ed25519::{Ed25519Error, PublicKey};
use holdfast_core::id::{Amount, NetworkId};
use serde_tuple::{Deserialize_tuple, Serialize_tuple};

use crate::account::{Account, AccountId};
use crate::block::{BlockHash, BlockTime, Header, Height};
use crate::list::ListRoot;
use crate::params::Params;
use crate::receipt::Receipts;
use crate::state::{Changes, RowKey, Rows, RowsError, State};
use crate::supply::{CAP, Supply};
use crate::tree::{Child, Page, PageKey, Pages, TreeChanges};

/// Most allotments.
pub const ALLOTMENTS_MAX: usize = 4096;

/// Money that an account has from the beginning.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub struct Allotment {
    /// Who.
    pub account: AccountId,
    /// How much; not nothing.
    pub amount: Amount,
}

/// What a ledger begins with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub struct LedgerGenesis {
    /// The time of the first block, which everything is later than.
    pub time: BlockTime,
    /// The first parameters.
    pub params: Params,
    /// By ascending account.
    pub allotments: Bounded<Allotment, ALLOTMENTS_MAX>,
}

/// Why a ledger cannot begin like this.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LedgerGenesisError {
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

impl LedgerGenesis {
    /// Checks every rule.
    ///
    /// # Errors
    /// The first rule broken, naming the account.
    pub fn validate(&self) -> Result<(), LedgerGenesisError> {
        let mut before = None;
        let mut sum = Amount::ZERO;
        for Allotment { account, amount } in self.allotments.iter() {
            let account = *account;
            if before.is_some_and(|before| before >= account) {
                return Err(LedgerGenesisError::Order { account });
            }
            before = Some(account);
            account.key().validate().map_err(|source| LedgerGenesisError::Account { account, source })?;
            if *amount == Amount::ZERO {
                return Err(LedgerGenesisError::Nothing { account });
            }
            sum = sum.plus(*amount).filter(|sum| *sum <= CAP).ok_or(LedgerGenesisError::Cap)?;
        }
        Ok(())
    }

    /// The first block of a network's ledger, and its rows. Its parent is the network id, so that no two networks share a
    /// block.
    ///
    /// # Errors
    /// See [`LedgerGenesisError`].
    pub fn execute(&self, network: &NetworkId) -> Result<Founded, LedgerGenesisError> {
        self.validate()?;
        let mut state = State::over(&Nothing);
        let mut supply = Supply::default();
        for Allotment { account, amount } in self.allotments.iter() {
            state.put(Account::key(account), &Account { balance: *amount, nonce: 0 });
            supply.issued = supply.issued.plus(*amount).expect("the sum was checked");
        }
        state.put(&[], &supply);
        state.put(&[], &self.params);
        let changes = state.into_changes();
        let tree = TreeChanges::of(&Nothing, &changes).expect("nothing can be read");
        let header = Header {
            height: Height(0),
            parent: BlockHash::new(*network.as_bytes()),
            time: self.time,
            proposer: AccountId::of(PublicKey::new([0; 32])),
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
