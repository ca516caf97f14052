//! The keystore: a folder with the keys of one's accounts, each encrypted under a passphrase.
//!
//! 1. [`Keystore::create`] draws an [`AccountKey`] and writes it to `NAME.key` as an [`EncryptedKey`]: one comment that
//!    names the account, then an age file.
//! 2. [`Keystore::list`] and [`Keystore::account`] read the comment, for which no passphrase is needed.
//! 3. [`Keystore::unlock`] gives the key to whoever knows the passphrase, if it is the key of the account in the
//!    comment.
//!
//! A file of the keystore is its own backup: [`KeyFile`] is what [`Keystore::import`] takes. Nothing is ever written over,
//! and nothing secret prints. Bytes are drawn in `docs/spec/keystore.md`.

use std::fs;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use holdfast_ledger::account::AccountId;
use holdfast_store::write_secret;

mod encrypted;
mod file;
mod name;
mod secret;

pub use encrypted::{EncryptedKey, OpenError, Passphrase, PassphraseError, WorkFactor};
pub use file::KeyFile;
pub use name::{KeyName, NameError};
pub use secret::AccountKey;

use file::{FileKey, read_text};

/// What the names of key files end with.
const EXTENSION: &str = "key";

/// Why the keystore did not do it.
#[derive(Debug, thiserror::Error)]
pub enum KeystoreError {
    /// There is no such key.
    #[error("no key `{name}` in {}; {}", folder.display(), there_are(names))]
    Missing {
        /// The name asked for.
        name: KeyName,
        /// The keystore.
        folder: PathBuf,
        /// Names that there are.
        names: Vec<KeyName>,
    },
    /// A key is never written over: it may be the only way to an account's money.
    #[error("there is a key `{name}` in {} already; choose another name", folder.display())]
    Exists {
        /// The name.
        name: KeyName,
        /// The keystore.
        folder: PathBuf,
    },
    /// One account, one key.
    #[error("the key of account {account} is there already, as `{name}`")]
    Known {
        /// The account.
        account: AccountId,
        /// Under which name.
        name: KeyName,
    },
    /// A file or the folder cannot be read.
    #[error("could not read {}", path.display())]
    Read {
        /// The place.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file or the folder cannot be written.
    #[error("could not write {}", path.display())]
    Write {
        /// The place.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file is damaged, hostile, something else, or not to be opened like this.
    #[error("{}", path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: OpenError,
    },
    /// The operating system has no randomness to give.
    #[error("could not draw a key")]
    Draw(#[source] io::Error),
}

fn there_are(names: &[KeyName]) -> String {
    match names {
        [] => "there is none yet: `holdfast key new` makes one".to_owned(),
        names => {
            let names: Vec<_> = names.iter().map(KeyName::as_str).collect();
            format!("there are: {}", names.join(", "))
        }
    }
}

/// A key in the keystore, as far as it shows without its passphrase.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyEntry {
    /// Its name.
    pub name: KeyName,
    /// Whose key it is, as its file says; `None` if the file is damaged.
    pub account: Option<AccountId>,
}

/// A folder of encrypted keys.
#[derive(Clone, Debug)]
pub struct Keystore {
    folder: PathBuf,
    work: WorkFactor,
}

impl Keystore {
    /// The keystore in a folder, which the first key makes.
    pub fn open(folder: &Path) -> Self {
        Self::with_work(folder, WorkFactor::STANDARD)
    }

    /// A keystore whose new keys cost so much to guess at.
    pub fn with_work(folder: &Path, work: WorkFactor) -> Self {
        Self { folder: folder.into(), work }
    }

    /// Where a key lies, or would.
    pub fn path(&self, name: &KeyName) -> PathBuf {
        self.folder.join(format!("{name}.{EXTENSION}"))
    }

    /// Every key, by name. A folder that is not there has none.
    ///
    /// # Errors
    /// If the folder or a file in it cannot be read.
    pub fn list(&self) -> Result<Vec<KeyEntry>, KeystoreError> {
        let entry = |name| match self.encrypted(&name) {
            Ok(key) => Ok(KeyEntry { name, account: Some(key.account()) }),
            Err(KeystoreError::Open { .. }) => Ok(KeyEntry { name, account: None }),
            Err(error) => Err(error),
        };
        self.names()?.into_iter().map(entry).collect()
    }

    /// Whose key it is, as its file says.
    ///
    /// # Errors
    /// If there is no such key, or its file is damaged.
    pub fn account(&self, name: &KeyName) -> Result<AccountId, KeystoreError> {
        Ok(self.encrypted(name)?.account())
    }

    /// A key as it lies here.
    ///
    /// # Errors
    /// If there is no such key, or its file is damaged.
    pub fn encrypted(&self, name: &KeyName) -> Result<EncryptedKey, KeystoreError> {
        let path = self.path(name);
        let text = match read_text(&path) {
            Err(KeystoreError::Read { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
                let (folder, names) = (self.folder.clone(), self.names()?);
                return Err(KeystoreError::Missing { name: name.clone(), folder, names });
            }
            text => text?,
        };
        EncryptedKey::from_text(&text).map_err(|source| KeystoreError::Open { path, source })
    }

    /// Opens a key with its passphrase, which takes some tenths of a second and 128 MiB.
    ///
    /// # Errors
    /// If there is no such key, the passphrase is another, or the file is damaged or not the key of its account.
    pub fn unlock(&self, name: &KeyName, passphrase: &Passphrase) -> Result<AccountKey, KeystoreError> {
        let open = |source| KeystoreError::Open { path: self.path(name), source };
        self.encrypted(name)?.decrypt(passphrase).map_err(open)
    }

    /// Draws a key, and keeps it under a name that is free.
    ///
    /// # Errors
    /// If the name is taken, or the key cannot be drawn or written.
    pub fn create(&self, name: &KeyName, passphrase: &Passphrase) -> Result<AccountId, KeystoreError> {
        self.check_free(name)?;
        let key = AccountKey::draw().map_err(KeystoreError::Draw)?;
        self.add(name, &EncryptedKey::encrypt(&key, passphrase, self.work))
    }

    /// Keeps a key from elsewhere under a name that is free. The passphrase is that of the file, under which the key
    /// stays; for a file that has none, a new one.
    ///
    /// # Errors
    /// If the name is taken, the account has a key here, the file does not open, or the key cannot be written.
    pub fn import(
        &self,
        name: &KeyName,
        file: &KeyFile,
        passphrase: &Passphrase,
    ) -> Result<AccountId, KeystoreError> {
        self.check_free(name)?;
        self.check_unknown(&file.account())?;
        match file.key() {
            FileKey::Plain(key) => self.add(name, &EncryptedKey::encrypt(key, passphrase, self.work)),
            FileKey::Encrypted(key) => {
                let opened = key.decrypt(passphrase);
                opened.map_err(|source| KeystoreError::Open { path: file.path().to_owned(), source })?;
                self.add(name, key)
            }
        }
    }

    /// Writes a key that is known to open.
    fn add(&self, name: &KeyName, key: &EncryptedKey) -> Result<AccountId, KeystoreError> {
        let path = self.path(name);
        let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(&self.folder);
        made.map_err(|source| KeystoreError::Write { path: self.folder.clone(), source })?;
        write_secret(&path, key.to_text().as_bytes()).map_err(|source| match source.kind() {
            io::ErrorKind::AlreadyExists => self.exists(name), // since it was checked
            _ => KeystoreError::Write { path, source },
        })?;
        Ok(key.account())
    }

    /// Looks whether a name is free, before a person is asked for a passphrase.
    ///
    /// # Errors
    /// [`KeystoreError::Exists`] if it is taken.
    pub fn check_free(&self, name: &KeyName) -> Result<(), KeystoreError> {
        if self.path(name).symlink_metadata().is_ok() { Err(self.exists(name)) } else { Ok(()) }
    }

    /// Looks whether an account has no key here, before a person is asked for a passphrase.
    ///
    /// # Errors
    /// [`KeystoreError::Known`] if it has.
    pub fn check_unknown(&self, account: &AccountId) -> Result<(), KeystoreError> {
        match self.list()?.into_iter().find(|entry| entry.account.as_ref() == Some(account)) {
            Some(KeyEntry { name, .. }) => Err(KeystoreError::Known { account: *account, name }),
            None => Ok(()),
        }
    }

    fn exists(&self, name: &KeyName) -> KeystoreError {
        KeystoreError::Exists { name: name.clone(), folder: self.folder.clone() }
    }

    /// Names of all key files, sorted. Other files are passed by.
    fn names(&self) -> Result<Vec<KeyName>, KeystoreError> {
        let read = || -> io::Result<Vec<KeyName>> {
            let mut names = Vec::new();
            for entry in fs::read_dir(&self.folder)? {
                let path = PathBuf::from(entry?.file_name());
                let stem = path.file_stem().and_then(|stem| stem.to_str());
                if path.extension().is_some_and(|extension| extension == EXTENSION) {
                    names.extend(stem.and_then(|stem| stem.parse::<KeyName>().ok()));
                }
            }
            names.sort();
            Ok(names)
        };
        match read() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
            names => names.map_err(|source| KeystoreError::Read { path: self.folder.clone(), source }),
        }
    }
}

#[cfg(test)]
mod tests;
