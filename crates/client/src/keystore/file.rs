//! Keys in files: how one comes into the keystore.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use holdfast_ledger::account::AccountId;
use zeroize::Zeroizing;

use super::{AccountKey, EncryptedKey, KeystoreError};

/// Longer files are none of ours: what [`EncryptedKey`] writes has about 500 bytes.
const FILE_BYTES_MAX: usize = 4096;

/// A key in a file outside of the keystore.
#[derive(Debug)]
pub struct KeyFile {
    path: PathBuf,
    key: FileKey,
}

/// How a key lies in a file.
#[derive(Debug)]
pub(super) enum FileKey {
    /// As [`AccountKey::to_text`] writes it.
    Plain(AccountKey),
    /// As it lies in the keystore.
    Encrypted(EncryptedKey),
}

impl KeyFile {
    /// Reads a key, encrypted or not.
    ///
    /// # Errors
    /// If the file cannot be read or holds no key.
    pub fn read(path: &Path) -> Result<Self, KeystoreError> {
        let text = read_text(path)?;
        let key = match AccountKey::from_text(&text) {
            Some(key) => Ok(FileKey::Plain(key)),
            None => EncryptedKey::from_text(&text).map(FileKey::Encrypted),
        };
        let path = path.to_owned();
        match key {
            Ok(key) => Ok(Self { path, key }),
            Err(source) => Err(KeystoreError::Open { path, source }),
        }
    }

    /// Whether a passphrase opens it. If not, whoever has the file has the key.
    pub fn is_encrypted(&self) -> bool {
        matches!(self.key, FileKey::Encrypted(_))
    }

    /// Whose key it is; of an encrypted one, as it says.
    pub fn account(&self) -> AccountId {
        match &self.key {
            FileKey::Plain(key) => key.account(),
            FileKey::Encrypted(key) => key.account(),
        }
    }

    /// Where it was read.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn key(&self) -> &FileKey {
        &self.key
    }
}

/// Reads a small file that may hold a secret; of a longer one, the beginning.
pub(super) fn read_text(path: &Path) -> Result<Zeroizing<Vec<u8>>, KeystoreError> {
    // With room for all that is read, so that growing leaves no copy behind.
    let mut text = Zeroizing::new(Vec::with_capacity(2 * FILE_BYTES_MAX));
    File::open(path)
        .and_then(|file| file.take(FILE_BYTES_MAX as u64).read_to_end(&mut text))
        .map_err(|source| KeystoreError::Read { path: path.into(), source })?;
    Ok(text)
}
