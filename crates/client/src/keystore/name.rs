//! What a key is called in the keystore.

use std::fmt;
use std::str::FromStr;

/// Longest name: shorter than an account's text, so that none can be taken for the other.
const LETTERS_MAX: usize = 32;

/// Name of a key, and of its file: 1 to 32 of `a`–`z`, `0`–`9`, `-` and `_`, of which the first is a letter or a digit.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyName(String);

/// A text is no name of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the name of a key has 1 to 32 of a-z, 0-9, - and _, and begins with a letter or a digit")]
pub struct NameError;

impl KeyName {
    /// What a key is called unless its owner says otherwise.
    pub const DEFAULT: &str = "default";

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for KeyName {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let plain = |letter: u8| letter.is_ascii_lowercase() || letter.is_ascii_digit();
        let known = text.bytes().all(|letter| plain(letter) || letter == b'-' || letter == b'_');
        // Neither a flag nor a hidden file, and nothing that leads out of the folder.
        let begins = text.bytes().next().is_some_and(plain);
        if known && begins && text.len() <= LETTERS_MAX { Ok(Self(text.to_owned())) } else { Err(NameError) }
    }
}

impl fmt::Display for KeyName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_plain_words() {
        for good in ["default", "a", "2", "cold-wallet_2", &"x".repeat(32)] {
            assert_eq!(good.parse::<KeyName>().unwrap().as_str(), good);
        }
        for bad in
            ["", "-a", "_a", ".a", "a.key", "a/b", "..", "a b", "A", "ä", "a\n", "a\0", &"x".repeat(33)]
        {
            assert_eq!(bad.parse::<KeyName>(), Err(NameError), "{bad:?}");
        }
        assert!(KeyName::DEFAULT.parse::<KeyName>().is_ok());
    }
}
