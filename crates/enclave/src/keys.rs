//! The keys of a node: drawn once, kept in one owner-only file.
//!
//! In software mode the file lies in clear on the disk, because there is no hardware that could seal it: whoever
//! reads it is the node. Platforms with sealing wrap the same bytes.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;

use holdfast_core::codec;
use holdfast_core::id::{BoxKey, NodeId};
use holdfast_core::{bls, ed25519};
use serde_tuple::{Deserialize_tuple, Serialize_tuple};
use x25519_dalek::StaticSecret;
use zeroize::{Zeroize, Zeroizing};

use crate::call::Identity;

const FILE: &str = "keys";
const VERSION: u8 = 1;
const FILE_BYTES_MAX: usize = 256;

/// Why keys could not be loaded or made.
#[derive(Debug, thiserror::Error)]
pub enum KeysError {
    /// The file cannot be read or written.
    #[error("could not read or write the key file")]
    File(#[from] io::Error),
    /// The file is not what was written.
    #[error(
        "the key file is damaged; restore it from a backup, because the node's identity cannot be drawn again"
    )]
    Damaged,
    /// The file is gone, but the journal shows that its keys were used.
    #[error("the key file is gone but its keys were used; restore it from a backup")]
    Lost,
    /// The system gave no random bytes.
    #[error("the system gave no random bytes")]
    Random,
}

/// The secret keys of a node.
pub struct Keys {
    ed25519: ed25519::SecretKey,
    bls: bls::SecretKey,
    box_key: StaticSecret,
}

/// What the file holds, followed by its BLAKE3.
#[derive(Serialize_tuple, Deserialize_tuple)]
struct Stored {
    version: u8,
    #[serde(with = "serde_bytes")]
    ed25519: [u8; 32],
    #[serde(with = "serde_bytes")]
    bls: [u8; 32],
    #[serde(with = "serde_bytes")]
    box_key: [u8; 32],
}

impl Drop for Stored {
    fn drop(&mut self) {
        self.ed25519.zeroize();
        self.bls.zeroize();
        self.box_key.zeroize();
    }
}

impl Keys {
    /// Loads the keys in `folder`, or draws and writes them if there are none and none were used before.
    ///
    /// # Errors
    /// See [`KeysError`].
    pub fn load_or_draw(folder: &Path, used_before: bool) -> Result<Self, KeysError> {
        match fs::read(folder.join(FILE)) {
            Ok(bytes) => Self::parse(&Zeroizing::new(bytes)),
            Err(error) if error.kind() == io::ErrorKind::NotFound && used_before => Err(KeysError::Lost),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let keys = Self::draw()?;
                keys.write(folder)?;
                Ok(keys)
            }
            Err(error) => Err(error.into()),
        }
    }

    fn draw() -> Result<Self, KeysError> {
        let seed = || {
            let mut seed = Zeroizing::new([0; 32]);
            getrandom::fill(&mut *seed).map_err(|_| KeysError::Random)?;
            Ok::<_, KeysError>(seed)
        };
        Ok(Self {
            ed25519: ed25519::SecretKey::from_seed(&*seed()?),
            bls: bls::SecretKey::from_seed(&*seed()?),
            box_key: StaticSecret::from(*seed()?),
        })
    }

    fn parse(bytes: &[u8]) -> Result<Self, KeysError> {
        let (body, checksum) = bytes.split_last_chunk::<32>().ok_or(KeysError::Damaged)?;
        if blake3::hash(body) != *checksum {
            return Err(KeysError::Damaged);
        }
        let stored: Stored = codec::decode(body, FILE_BYTES_MAX).map_err(|_| KeysError::Damaged)?;
        if stored.version != VERSION {
            return Err(KeysError::Damaged);
        }
        Ok(Self {
            ed25519: ed25519::SecretKey::from_seed(&stored.ed25519),
            bls: bls::SecretKey::from_scalar(&stored.bls).ok_or(KeysError::Damaged)?,
            box_key: StaticSecret::from(stored.box_key),
        })
    }

    /// Temp file (owner-only), sync, rename, sync of the folder.
    fn write(&self, folder: &Path) -> Result<(), KeysError> {
        let stored = Stored {
            version: VERSION,
            ed25519: *self.ed25519.to_seed(),
            bls: *self.bls.to_scalar(),
            box_key: self.box_key.to_bytes(),
        };
        let mut bytes = Zeroizing::new(codec::encode(&stored));
        let checksum = blake3::hash(&bytes);
        bytes.extend_from_slice(checksum.as_bytes());
        let mut file = tempfile::NamedTempFile::new_in(folder)?;
        file.write_all(&bytes)?;
        file.as_file().sync_all()?;
        file.persist_noclobber(folder.join(FILE)).map_err(|error| error.error)?;
        Ok(File::open(folder)?.sync_all()?)
    }

    /// The public halves.
    pub fn identity(&self) -> Identity {
        let ed25519 = self.ed25519.public();
        Identity {
            node: NodeId::of(&ed25519),
            ed25519,
            bls: self.bls.public(),
            box_key: BoxKey::new(x25519_dalek::PublicKey::from(&self.box_key).to_bytes()),
        }
    }

    /// The node key.
    pub(crate) fn ed25519(&self) -> &ed25519::SecretKey {
        &self.ed25519
    }

    /// The key for statements that are aggregated.
    pub(crate) fn bls(&self) -> &bls::SecretKey {
        &self.bls
    }
}

impl std::fmt::Debug for Keys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Keys({})", self.identity().node.short())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn keys_are_drawn_once_and_only_the_owner_reads_them() {
        let folder = tempfile::tempdir().unwrap();
        let first = Keys::load_or_draw(folder.path(), false).unwrap();
        let again = Keys::load_or_draw(folder.path(), false).unwrap();
        assert_eq!(first.identity(), again.identity());
        let mode = fs::metadata(folder.path().join(FILE)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let other = tempfile::tempdir().unwrap();
        assert_ne!(Keys::load_or_draw(other.path(), false).unwrap().identity(), first.identity());
    }

    #[test]
    fn a_damaged_key_file_is_refused_and_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        Keys::load_or_draw(folder.path(), false).unwrap();
        let path = folder.path().join(FILE);
        let good = fs::read(&path).unwrap();
        for at in 0..good.len() {
            let mut bad = good.clone();
            bad[at] ^= 1;
            fs::write(&path, &bad).unwrap();
            assert!(matches!(Keys::load_or_draw(folder.path(), false), Err(KeysError::Damaged)));
            assert_eq!(fs::read(&path).unwrap(), bad);
        }
        fs::write(&path, b"").unwrap();
        assert!(matches!(Keys::load_or_draw(folder.path(), false), Err(KeysError::Damaged)));
        fs::remove_file(&path).unwrap();
        assert!(matches!(Keys::load_or_draw(folder.path(), true), Err(KeysError::Lost)));
        assert!(!path.exists());
    }

    #[test]
    fn secrets_never_print() {
        let folder = tempfile::tempdir().unwrap();
        let keys = Keys::load_or_draw(folder.path(), false).unwrap();
        assert_eq!(format!("{keys:?}"), format!("Keys({})", keys.identity().node.short()));
    }
}
