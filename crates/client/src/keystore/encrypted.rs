//! The key of an account, encrypted under a passphrase: a comment that says whose key it is, and an age file.

use std::fmt;
use std::io::{Read, Write};
use std::iter;

use age::armor::{ArmoredReader, ArmoredWriter, Format};
use age::secrecy::SecretString;
use age::{DecryptError, Decryptor, Encryptor, scrypt};
use holdfast_ledger::account::AccountId;
use zeroize::Zeroizing;

use super::secret::AccountKey;

/// What stands before the account: what the file is, and in which version.
const TITLE: &str = "# holdfast account key 1: ";
/// How the age file begins, which is armoured: text survives mail and paper.
const AGE_BEGINS: &str = "-----BEGIN AGE ENCRYPTED FILE-----\n";
/// More than the secret has, so that a file that holds more is noticed.
const PLAIN_BYTES_MAX: usize = 256;

/// What opens a key. It is wiped from memory when dropped, and does not print.
#[derive(Clone, Debug)]
pub struct Passphrase(SecretString);

/// A text is no passphrase.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the passphrase is empty")]
pub struct PassphraseError;

impl Passphrase {
    /// A passphrase, byte for byte: neither case nor white space is changed.
    ///
    /// # Errors
    /// If it is empty.
    pub fn new(text: &str) -> Result<Self, PassphraseError> {
        // An owned text of exactly this length is moved, not copied.
        if text.is_empty() { Err(PassphraseError) } else { Ok(Self(text.to_owned().into())) }
    }
}

/// How much work it is to try one passphrase: scrypt with N = 2^this, r = 8, p = 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct WorkFactor(u8);

impl WorkFactor {
    /// 128 MiB and some tenths of a second a guess: the first of the settings that OWASP recommends for scrypt.
    pub const STANDARD: Self = Self(17);
    /// Files that ask for more than 1 GiB and some seconds are refused, lest a hostile one hangs the program or takes
    /// all memory. The age tools write 18, or what takes them a second.
    pub const MAX: Self = Self(20);

    /// The work factor with this exponent, if it is from 1 to [`WorkFactor::MAX`].
    pub fn new(log_n: u8) -> Option<Self> {
        (1..=Self::MAX.0).contains(&log_n).then_some(Self(log_n))
    }
}

/// Why an encrypted key did not open.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// Not a key file at all, or one whose beginning or end is damaged.
    #[error("not the key of an account, or a damaged one; restore it from a backup")]
    Malformed,
    /// The two cannot be told apart: what the passphrase opens is authenticated only by the passphrase.
    #[error("it does not open with this passphrase; if the passphrase is right, the file is damaged")]
    Passphrase,
    /// The passphrase is right.
    #[error("the passphrase is right, but the file is damaged; restore it from a backup")]
    Damaged,
    /// Nobody writes such files by accident.
    #[error("it asks for scrypt with N = 2^{log_n}, and more than 2^{} is refused; it is hostile or damaged", WorkFactor::MAX.0)]
    Work {
        /// Exponent of what it asks for.
        log_n: u8,
    },
    /// Its comment was changed, or two files were mixed up.
    #[error(
        "it says that it is the key of {says}, but it holds the key of {holds}; restore it from a backup"
    )]
    Account {
        /// By its comment.
        says: AccountId,
        /// By the secret in it.
        holds: AccountId,
    },
}

/// The key of an account under a passphrase, not yet known to open.
#[derive(Clone, PartialEq, Eq)]
pub struct EncryptedKey {
    account: AccountId,
    /// The age file.
    armored: String,
}

impl EncryptedKey {
    /// Encrypts a key.
    pub fn encrypt(key: &AccountKey, passphrase: &Passphrase, work: WorkFactor) -> Self {
        let mut recipient = scrypt::Recipient::new(passphrase.0.clone());
        recipient.set_work_factor(work.0);
        let encryptor = Encryptor::with_recipients(iter::once(&recipient as _)).expect("one recipient");
        let write = || {
            let armor = ArmoredWriter::wrap_output(Vec::new(), Format::AsciiArmor)?;
            let mut writer = encryptor.wrap_output(armor)?;
            writer.write_all(key.to_text().as_bytes())?;
            writer.finish()?.finish()
        };
        let armored = write().expect("memory takes every write");
        Self { account: key.account(), armored: String::from_utf8(armored).expect("armour is text") }
    }

    /// Whose key it is, as the comment says.
    pub fn account(&self) -> AccountId {
        self.account
    }

    /// Decrypts the key, and compares it with the account in the comment.
    ///
    /// # Errors
    /// See [`OpenError`].
    pub fn decrypt(&self, passphrase: &Passphrase) -> Result<AccountKey, OpenError> {
        let decryptor = Decryptor::new_buffered(ArmoredReader::new(self.armored.as_bytes()))
            .map_err(|_| OpenError::Malformed)?;
        if !decryptor.is_scrypt() {
            return Err(OpenError::Malformed);
        }
        let mut identity = scrypt::Identity::new(passphrase.0.clone());
        identity.set_max_work_factor(WorkFactor::MAX.0);
        let reader = decryptor.decrypt(iter::once(&identity as _)).map_err(|error| match error {
            DecryptError::DecryptionFailed => OpenError::Passphrase,
            DecryptError::ExcessiveWork { required: log_n, .. } if log_n > WorkFactor::MAX.0 => {
                OpenError::Work { log_n }
            }
            DecryptError::InvalidMac => OpenError::Damaged,
            _ => OpenError::Malformed,
        })?;
        // With room for all that is read, so that growing leaves no copy behind.
        let mut text = Zeroizing::new(Vec::with_capacity(2 * PLAIN_BYTES_MAX));
        let read = reader.take(PLAIN_BYTES_MAX as u64).read_to_end(&mut text);
        let key = read.ok().and_then(|_: usize| AccountKey::from_text(&text)).ok_or(OpenError::Damaged)?;
        let (says, holds) = (self.account, key.account());
        if says == holds { Ok(key) } else { Err(OpenError::Account { says, holds }) }
    }

    /// The file. Specification: docs/spec/keystore.md, "The file".
    pub fn to_text(&self) -> String {
        format!("{TITLE}{}\n{}", self.account, self.armored)
    }

    /// Reads a file; [`EncryptedKey::decrypt`] judges what is in it.
    ///
    /// # Errors
    /// [`OpenError::Malformed`] if it is none.
    pub fn from_text(text: &[u8]) -> Result<Self, OpenError> {
        let read = || {
            let (title, armored) = std::str::from_utf8(text).ok()?.split_once('\n')?;
            let account = title.strip_prefix(TITLE)?.parse().ok()?;
            armored.starts_with(AGE_BEGINS).then(|| Self { account, armored: armored.to_owned() })
        };
        read().ok_or(OpenError::Malformed)
    }
}

impl fmt::Debug for EncryptedKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "EncryptedKey(of {})", self.account)
    }
}
