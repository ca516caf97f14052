//! The secret half of an account, and the line of text that it is outside of its encryption.

use std::{fmt, io};

use bech32::Bech32m;
use bech32::primitives::decode::CheckedHrpstring;
use holdfast_core::ed25519::SecretKey;
use holdfast_ledger::account::AccountId;
use zeroize::Zeroizing;

/// What the secret begins with, before the digit one: not what an account does, so that neither is taken for the other.
const PREFIX: bech32::Hrp = bech32::Hrp::parse_unchecked("hfsecret");
/// What stands before the secret: what it is, and in which version.
const TITLE: &str = "holdfast account secret 1: ";
/// Length of a seed.
const SEED_BYTES: usize = 32;
/// Room for title, secret and newline.
const LINE_BYTES_MAX: usize = 128;

/// The key of an account: whoever has it can spend what the account owns. It is wiped from memory when dropped, and
/// does not print.
pub struct AccountKey(Box<SecretKey>);

impl AccountKey {
    /// Draws a key from the operating system.
    ///
    /// # Errors
    /// If it has no randomness to give.
    pub fn draw() -> io::Result<Self> {
        let mut seed = Zeroizing::new([0; SEED_BYTES]);
        getrandom::fill(&mut seed[..]).map_err(io::Error::other)?;
        Ok(Self::from_seed(&seed))
    }

    /// The key that belongs to a seed.
    pub fn from_seed(seed: &[u8; SEED_BYTES]) -> Self {
        Self(Box::new(SecretKey::from_seed(seed)))
    }

    /// The account that it owns.
    pub fn account(&self) -> AccountId {
        AccountId::of(self.0.public())
    }

    /// What signs for the account.
    pub fn secret(&self) -> &SecretKey {
        &self.0
    }

    /// Title and secret on one line. Specification: docs/spec/keystore.md, "The secret".
    pub fn to_text(&self) -> Zeroizing<String> {
        // With room for all of it, so that growing leaves no copy behind.
        let mut text = Zeroizing::new(String::with_capacity(LINE_BYTES_MAX));
        text.push_str(TITLE);
        bech32::encode_to_fmt::<Bech32m, String>(&mut text, PREFIX, &self.0.to_seed()[..])
            .expect("32 bytes are short enough");
        text.push('\n');
        text
    }

    /// Reads what [`AccountKey::to_text`] wrote, with white space around it or without.
    pub fn from_text(text: &[u8]) -> Option<Self> {
        let secret = std::str::from_utf8(text.trim_ascii()).ok()?.strip_prefix(TITLE)?;
        let checked = CheckedHrpstring::new::<Bech32m>(secret).ok()?;
        checked.validate_segwit_padding().ok()?;
        // One secret, one text.
        if checked.hrp() != PREFIX || secret.bytes().any(|byte| byte.is_ascii_uppercase()) {
            return None;
        }
        let mut seed = Zeroizing::new([0; SEED_BYTES]);
        if checked.byte_iter().len() != SEED_BYTES {
            return None;
        }
        seed.iter_mut().zip(checked.byte_iter()).for_each(|(byte, read)| *byte = read);
        Some(Self::from_seed(&seed))
    }
}

impl fmt::Debug for AccountKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AccountKey(secret of {})", self.account())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_text_is_that_of_the_specification_and_every_change_is_noticed() {
        let key = AccountKey::from_seed(&std::array::from_fn(|at| u8::try_from(at).unwrap()));
        let text = key.to_text();
        assert_eq!(
            *text,
            format!("{TITLE}hfsecret1qqqsyqcyq5rqwzqfpg9scrgwpugpzysnzs23v9ccrydpk8qarc0s4fu53q\n")
        );
        assert!(text.len() <= LINE_BYTES_MAX);
        assert_eq!(AccountKey::from_text(text.trim_end().as_bytes()).unwrap().account(), key.account());
        let line = text.trim_end().as_bytes();
        for at in 0..line.len() {
            let mut other = line.to_vec();
            other[at] = if other[at] == b'q' { b'p' } else { b'q' };
            assert!(AccountKey::from_text(&other).is_none(), "letter {at}");
            assert!(AccountKey::from_text(&line[..at]).is_none(), "cut at {at}");
        }
        let secret = text.strip_prefix(TITLE).unwrap().trim_end();
        assert!(AccountKey::from_text(secret.as_bytes()).is_none());
        assert!(AccountKey::from_text(format!("{TITLE}{}", secret.to_uppercase()).as_bytes()).is_none());
    }

    #[test]
    fn other_texts_are_no_secret() {
        let encode = |prefix, bytes: &[u8]| {
            let prefix = bech32::Hrp::parse(prefix).unwrap();
            format!("{TITLE}{}", bech32::encode::<Bech32m>(prefix, bytes).unwrap())
        };
        assert!(AccountKey::from_text(encode("hfsecret", &[1; 32]).as_bytes()).is_some());
        for (prefix, bytes) in [("hf", 32), ("hfsecret", 31), ("hfsecret", 33), ("hfsecret", 0)] {
            assert!(AccountKey::from_text(encode(prefix, &vec![1; bytes]).as_bytes()).is_none(), "{prefix}");
        }
        let other = bech32::encode::<bech32::Bech32>(PREFIX, &[1; 32]).unwrap();
        assert!(AccountKey::from_text(format!("{TITLE}{other}").as_bytes()).is_none());
    }

    #[test]
    fn a_key_does_not_print() {
        let key = AccountKey::from_seed(&[7; 32]);
        assert_eq!(format!("{key:?}"), format!("AccountKey(secret of {})", key.account()));
    }

    proptest! {
        #[test]
        fn every_secret_is_read_back(seed: [u8; 32]) {
            let read = AccountKey::from_text(AccountKey::from_seed(&seed).to_text().as_bytes()).unwrap();
            prop_assert_eq!(*read.secret().to_seed(), seed);
        }

        #[test]
        fn any_bytes_are_judged(bytes: Vec<u8>, letters in "[a-z0-9]{0,80}") {
            prop_assert!(AccountKey::from_text(&bytes).is_none());
            let text = format!("{TITLE}hfsecret1{letters}");
            prop_assert!(AccountKey::from_text(text.as_bytes()).is_none());
        }
    }
}
