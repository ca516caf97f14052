//! Transactions: what an account asks the ledger to do, signed.

use holdfast_core::codec::{self, DecodeError};
use holdfast_core::ed25519::{Ed25519Error, SecretKey, Signature};
use holdfast_core::frame::MESSAGE_BYTES_MAX;
use holdfast_core::id::{Amount, NetworkId};
use holdfast_core::purpose::{Purpose, Signable};
use holdfast_core::{fixed_bytes, tagged_enum};
use serde_tuple::{Deserialize_tuple, Serialize_tuple};

use crate::account::AccountId;
use crate::block::Height;
use crate::evidence::Accuse;
use crate::governance::Support;
use crate::registry::{Register, ReportDead, Update};
use crate::stake::{Lock, Unlock, Withdraw};
use crate::storage::{Activate, Cancel, Claim, PlaceOrder, Renew};

/// Longest transaction, in bytes: it fits into one message, with what a protocol writes around it.
pub const TRANSACTION_BYTES_MAX: usize = MESSAGE_BYTES_MAX - 64;

fixed_bytes!(
    /// BLAKE3 of a signed transaction.
    TransactionId, 32
);

/// What is signed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub struct Body {
    /// Whose money and rights it uses.
    pub sender: AccountId,
    /// How many transactions of the sender came before.
    pub nonce: u64,
    /// What the sender pays for it, whether it succeeds or not.
    pub fee: Amount,
    /// The last block that may hold it.
    pub valid_until: Height,
    /// What it does.
    pub payload: Payload,
}

impl Signable for Body {
    const PURPOSE: Purpose = Purpose::TRANSACTION;
}

tagged_enum! {
    /// What a transaction does.
    pub enum Payload {
        /// Gives money to another account.
        1 => Transfer(Transfer),
        /// Registers a node.
        2 => Register(Register),
        /// Changes a node's entry.
        3 => Update(Update),
        /// Reports that a member does not answer.
        4 => ReportDead(ReportDead),
        /// Locks money for a node.
        5 => Lock(Lock),
        /// Asks for locked money back.
        6 => Unlock(Unlock),
        /// Takes it.
        7 => Withdraw(Withdraw),
        /// Shows an offence.
        8 => Accuse(Accuse),
        /// Orders storage.
        9 => PlaceOrder(PlaceOrder),
        /// Shows that an order's piece is kept.
        10 => Activate(Activate),
        /// Pays for more epochs.
        11 => Renew(Renew),
        /// Ends an order.
        12 => Cancel(Cancel),
        /// Has an order's providers paid.
        13 => Claim(Claim),
        /// Supports a motion.
        14 => Support(Support),
    }
}

impl Payload {
    /// How many long checks it takes while the block is executed: signatures besides the sender's, or a look at all motions.
    pub fn checks(&self) -> usize {
        match self {
            Self::Register(_) | Self::Accuse(_) => 2,
            Self::Activate(_) | Self::Support(_) => 1,
            _ => 0,
        }
    }
}

/// Gives money to another account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub struct Transfer {
    /// Who gets it.
    pub to: AccountId,
    /// How much; not nothing.
    pub amount: Amount,
}

/// A body and its sender's signature.
#[derive(Clone, Debug, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub struct Transaction {
    /// What is signed.
    pub body: Body,
    /// By the sender's key.
    pub signature: Signature,
}

/// Why a transaction can never be in a block.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TransactionError {
    /// Not a transaction, or too long.
    #[error("not a transaction")]
    Decode(#[from] DecodeError),
    /// Not signed by its sender, for this network.
    #[error("the transaction is not signed by its sender")]
    Signature(#[from] Ed25519Error),
}

impl Transaction {
    /// Signs a body.
    pub fn sign(body: Body, network: &NetworkId, key: &SecretKey) -> Self {
        let signature = key.sign(&body.signing_input(network));
        Self { body, signature }
    }

    /// Reads a transaction; [`Transaction::check`] judges it.
    ///
    /// # Errors
    /// If the bytes are none.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, DecodeError> {
        codec::decode(bytes, TRANSACTION_BYTES_MAX)
    }

    /// The one encoding.
    pub fn to_bytes(&self) -> Vec<u8> {
        codec::encode(self)
    }

    /// Checks everything that no state is needed for: length and signature.
    ///
    /// # Errors
    /// See [`TransactionError`].
    pub fn check(self, network: &NetworkId) -> Result<CheckedTransaction, TransactionError> {
        let bytes = self.to_bytes();
        self.check_encoded(&bytes, network)
    }

    /// The same for one whose encoding is at hand.
    pub(crate) fn check_encoded(
        self,
        bytes: &[u8],
        network: &NetworkId,
    ) -> Result<CheckedTransaction, TransactionError> {
        if bytes.len() > TRANSACTION_BYTES_MAX {
            return Err(DecodeError::TooLong { bytes: bytes.len(), max: TRANSACTION_BYTES_MAX }.into());
        }
        self.body.sender.key().verify(&self.body.signing_input(network), &self.signature)?;
        let id = TransactionId::new(*blake3::hash(bytes).as_bytes());
        Ok(CheckedTransaction { transaction: self, id, bytes: bytes.len() })
    }
}

/// A transaction whose sender signed it. There is no other way to make one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckedTransaction {
    transaction: Transaction,
    id: TransactionId,
    bytes: usize,
}

impl CheckedTransaction {
    /// What was signed.
    pub fn body(&self) -> &Body {
        &self.transaction.body
    }

    /// With its signature.
    pub fn transaction(&self) -> &Transaction {
        &self.transaction
    }

    /// Its name.
    pub fn id(&self) -> TransactionId {
        self.id
    }

    /// Length of its encoding.
    pub fn bytes(&self) -> usize {
        self.bytes
    }
}
