//! The key of one private piece, and the small file it is kept in.

use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use data_encoding::BASE32_NOPAD;
use holdfast_store::write_secret;
use zeroize::Zeroizing;

/// Length of a key.
pub(super) const KEY_BYTES: usize = 32;
/// First bytes of the key's BLAKE3 hash, against damage and typing errors.
const CHECKSUM_BYTES: usize = 4;
/// Key and checksum as base32: five bits a letter.
const LETTERS: usize = ((KEY_BYTES + CHECKSUM_BYTES) * 8).div_ceil(5);
/// How a key's text starts.
const PREFIX: &[u8] = b"hfk1";
/// A key file is one line; more than this is never read.
const FILE_BYTES_MAX: u64 = 128;

/// Why a key cannot be read or kept.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// A key is never written over anything: it may be the only key of something stored.
    #[error("{} exists already", path.display())]
    Exists {
        /// The place.
        path: PathBuf,
    },
    /// The file cannot be written.
    #[error("could not write {}", path.display())]
    Write {
        /// The place.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file cannot be read.
    #[error("could not read {}", path.display())]
    Read {
        /// The place.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file is damaged, or something else.
    #[error("{} holds no key, or a damaged one", path.display())]
    Malformed {
        /// The place.
        path: PathBuf,
    },
}

/// The secret that opens one private piece. It is wiped from memory when dropped, and does not print.
pub struct PieceKey(Box<Zeroizing<[u8; KEY_BYTES]>>);

impl PieceKey {
    /// Draws a key from the operating system.
    ///
    /// # Errors
    /// If it has no randomness to give.
    pub(super) fn draw() -> io::Result<Self> {
        let mut key = Self::zero();
        getrandom::fill(&mut key.0[..]).map_err(io::Error::other)?;
        Ok(key)
    }

    fn zero() -> Self {
        Self(Box::default())
    }

    #[cfg(test)]
    pub(super) fn from_bytes(bytes: [u8; KEY_BYTES]) -> Self {
        Self(Box::new(Zeroizing::new(bytes)))
    }

    pub(super) fn bytes(&self) -> &[u8; KEY_BYTES] {
        &self.0
    }

    /// Reads a key file.
    ///
    /// # Errors
    /// If it cannot be read or holds no key.
    pub fn read(path: &Path) -> Result<Self, KeyError> {
        // With room for all that is read, so that growing leaves no copy behind.
        let mut text = Zeroizing::new(Vec::with_capacity(256));
        File::open(path)
            .and_then(|file| file.take(FILE_BYTES_MAX).read_to_end(&mut text))
            .map_err(|source| KeyError::Read { path: path.into(), source })?;
        Self::from_text(text.trim_ascii()).ok_or_else(|| KeyError::Malformed { path: path.into() })
    }

    /// Writes the key to a new file for its owner only, in one durable step: temp, sync, rename, sync of the folder.
    ///
    /// # Errors
    /// If there is something already, or the file cannot be written.
    pub fn write_new(&self, path: &Path) -> Result<(), KeyError> {
        let mut line = self.to_text();
        line.push(b'\n'); // there is room for it: see `to_text`
        write_secret(path, &line).map_err(|source| match source.kind() {
            io::ErrorKind::AlreadyExists => KeyError::Exists { path: path.into() },
            _ => KeyError::Write { path: path.into(), source },
        })
    }

    /// `hfk1` and, in lower-case base32, key and checksum. There is room for the end of the line, so that adding it
    /// leaves no copy behind.
    fn to_text(&self) -> Zeroizing<Vec<u8>> {
        let mut text = Zeroizing::new(Vec::with_capacity(PREFIX.len() + LETTERS + 1));
        text.resize(PREFIX.len() + LETTERS, 0);
        let (prefix, letters) = text.split_at_mut(PREFIX.len());
        prefix.copy_from_slice(PREFIX);
        BASE32_NOPAD.encode_mut(&self.with_checksum()[..], letters);
        letters.make_ascii_lowercase();
        text
    }

    fn from_text(text: &[u8]) -> Option<Self> {
        let letters = text.strip_prefix(PREFIX)?;
        // Only a–z and 2–7, so that a key has one text.
        let known = |letter: &u8| matches!(letter, b'a'..=b'z' | b'2'..=b'7');
        if letters.len() != LETTERS || !letters.iter().all(known) {
            return None;
        }
        let upper = Zeroizing::new(letters.to_ascii_uppercase());
        let mut bytes = Zeroizing::new([0; KEY_BYTES + CHECKSUM_BYTES]);
        BASE32_NOPAD.decode_mut(&upper, &mut bytes[..]).ok()?;
        let mut key = Self::zero();
        key.0.copy_from_slice(&bytes[..KEY_BYTES]);
        (*key.with_checksum() == *bytes).then_some(key)
    }

    fn with_checksum(&self) -> Zeroizing<[u8; KEY_BYTES + CHECKSUM_BYTES]> {
        let mut bytes = Zeroizing::new([0; KEY_BYTES + CHECKSUM_BYTES]);
        bytes[..KEY_BYTES].copy_from_slice(self.bytes());
        bytes[KEY_BYTES..].copy_from_slice(&blake3::hash(self.bytes()).as_bytes()[..CHECKSUM_BYTES]);
        bytes
    }
}

impl fmt::Debug for PieceKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PieceKey(secret)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_key_file_is_private_new_and_read_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file.key");
        let key = PieceKey::draw().unwrap();
        key.write_new(&path).unwrap();
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(PieceKey::read(&path).unwrap().bytes(), key.bytes());

        let before = fs::read(&path).unwrap();
        let other = PieceKey::draw().unwrap();
        assert!(matches!(other.write_new(&path), Err(KeyError::Exists { .. })));
        assert_eq!(fs::read(&path).unwrap(), before);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "no temporary file is left");
        assert!(!format!("{key:?}").contains(&format!("{:?}", key.bytes()[0])));
    }

    #[test]
    fn the_text_is_that_of_the_specification_and_every_change_is_noticed() {
        let key = PieceKey::from_bytes(std::array::from_fn(|at| u8::try_from(at).unwrap()));
        let text = String::from_utf8(key.to_text().to_vec()).unwrap();
        assert_eq!(text, "hfk1aaaqeayeaudaocajbifqydiob4ibceqtcqkrmfyydenbwha5dyp6kkhjk4");
        for at in 0..text.len() {
            let mut other = text.clone().into_bytes();
            other[at] = if other[at] == b'b' { b'c' } else { b'b' };
            assert!(PieceKey::from_text(&other).is_none(), "letter {at}");
            assert!(PieceKey::from_text(&other[..at]).is_none());
        }
        assert!(PieceKey::from_text(text.to_uppercase().as_bytes()).is_none());
    }

    #[test]
    fn other_files_hold_no_key() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file.key");
        assert!(matches!(PieceKey::read(&path), Err(KeyError::Read { .. })));
        for content in [&b""[..], b"hfk1", &[0xff; 5000]] {
            fs::write(&path, content).unwrap();
            assert!(matches!(PieceKey::read(&path), Err(KeyError::Malformed { .. })));
        }
    }
}
