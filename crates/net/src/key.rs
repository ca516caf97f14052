//! The host's libp2p key. It names the machine on the network; it signs nothing of Holdfast's.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use libp2p::identity::Keypair;

/// Reads the key file, or draws a key and writes it (owner-only, durable) if there is none.
///
/// # Errors
/// If the file cannot be read or written, or holds no key.
pub fn load_or_create(path: &Path) -> io::Result<Keypair> {
    match fs::read(path) {
        Ok(bytes) => Keypair::from_protobuf_encoding(&bytes)
            .map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "the file holds no libp2p key")),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let key = Keypair::generate_ed25519();
            let bytes = key.to_protobuf_encoding().map_err(io::Error::other)?;
            let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
            file.write_all(&bytes)?;
            file.sync_all()?;
            fs::File::open(path.parent().unwrap_or(Path::new(".")))?.sync_all()?;
            Ok(key)
        }
        Err(error) => Err(error),
    }
}
