//! Accounts: who owns money.
//!
//! An account is named by its Ed25519 public key. For people it is bech32m with the prefix `hf` (BIP 350), whose
//! checksum finds mistyped letters: `hf1…`. Specification: docs/spec/ledger.md.

use std::fmt;
use std::str::FromStr;

use bech32::Bech32m;
use bech32::primitives::decode::CheckedHrpstring;
use holdfast_core::ed25519::{Ed25519Error, PublicKey};
use holdfast_core::id::Amount;
use serde::{Deserialize, Serialize};
use serde_tuple::{Deserialize_tuple, Serialize_tuple};

use crate::state::{Row, Table};

/// What the text form begins with, before the digit one.
const PREFIX: bech32::Hrp = bech32::Hrp::parse_unchecked("hf");

/// An account's name: an Ed25519 public key, not yet known to be usable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct AccountId(PublicKey);

/// Why a text is no account.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AccountIdError {
    /// Mistyped, or something else.
    #[error("not an account: expected `hf1` and 58 letters and digits, with a valid checksum")]
    Text,
    /// Well written, but nobody can hold the key.
    #[error(transparent)]
    Key(#[from] Ed25519Error),
}

impl AccountId {
    /// The account that a key owns.
    pub fn of(key: PublicKey) -> Self {
        Self(key)
    }

    /// The key that signs for it.
    pub fn key(&self) -> &PublicKey {
        &self.0
    }
}

impl fmt::Display for AccountId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&bech32::encode::<Bech32m>(PREFIX, self.0.as_bytes()).expect("32 bytes are short enough"))
    }
}

impl FromStr for AccountId {
    type Err = AccountIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let checked = CheckedHrpstring::new::<Bech32m>(text).map_err(|_| AccountIdError::Text)?;
        checked.validate_segwit_padding().map_err(|_| AccountIdError::Text)?;
        // One account, one text.
        if checked.hrp() != PREFIX || text.bytes().any(|byte| byte.is_ascii_uppercase()) {
            return Err(AccountIdError::Text);
        }
        let bytes: Vec<u8> = checked.byte_iter().collect();
        let key = PublicKey::new(bytes.try_into().map_err(|_| AccountIdError::Text)?);
        key.validate()?;
        Ok(Self(key))
    }
}

/// An account's row. An account that never had one has nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub struct Account {
    /// What it may spend.
    pub balance: Amount,
    /// Transactions of this account so far; the next one carries this number.
    pub nonce: u64,
}

impl Row for Account {
    const TABLE: Table = Table::ACCOUNTS;
    const BYTES_MAX: usize = 32;
}

impl Account {
    /// The key of an account's row.
    pub fn key(id: &AccountId) -> &[u8] {
        id.0.as_bytes()
    }
}

#[cfg(test)]
mod tests {
    use holdfast_core::codec;
    use holdfast_core::ed25519::SecretKey;

    use super::*;

    #[test]
    fn accounts_are_written_with_a_checksum() {
        let id = AccountId::of(SecretKey::from_seed(&[1; 32]).public());
        let text = id.to_string();
        assert!(text.starts_with("hf1") && text.len() == 61, "{text}");
        assert_eq!(text.parse(), Ok(id));
        for at in 0..text.len() {
            let mut other = text.clone().into_bytes();
            other[at] = if other[at] == b'q' { b'p' } else { b'q' };
            let other = String::from_utf8(other).unwrap();
            assert_eq!(other.parse::<AccountId>(), Err(AccountIdError::Text), "{other}");
        }
        assert_eq!(text.to_uppercase().parse::<AccountId>(), Err(AccountIdError::Text));
    }

    #[test]
    fn a_key_that_nobody_can_hold_is_no_account() {
        let text = AccountId::of(PublicKey::new([0; 32])).to_string();
        assert_eq!(text.parse::<AccountId>(), Err(AccountIdError::Key(Ed25519Error::Key)));
    }

    #[test]
    fn the_largest_row_fits() {
        let row = Account { balance: Amount(u128::MAX), nonce: u64::MAX };
        assert!(codec::encode(&row).len() <= Account::BYTES_MAX);
    }
}
