//! Pieces on disk, and the way of files into pieces and back.
//!
//! For a provider:
//! - [`disk`]: the narrow seam under which bytes lie, on this machine or in memory.
//! - [`log`]: everything the store knows, record by record; [`index`] is the view of it that finds things.
//! - [`store`]: drafts that become pieces, group commit, verified reads, quota, collection, repair. Start at
//!   [`store::Store`].
//!
//! For a client:
//! - [`import`]: a file or folder becomes a DAG; [`foreign`]: so does a CAR made elsewhere.
//! - [`source`]: a DAG becomes the byte stream of its piece.
//! - [`export`]: blocks become files and folders again.
//!
//! [`spill`] keeps what grows with a piece out of memory.

pub mod disk;
pub mod export;
pub mod foreign;
pub mod import;
pub mod index;
pub mod log;
pub mod source;
pub mod spill;
pub mod store;

/// The folder in which a path lies; the current one for a bare name.
pub fn folder_of(path: &std::path::Path) -> &std::path::Path {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    folder.unwrap_or(std::path::Path::new("."))
}

/// A temporary file in `folder` that will become a result for people: readable as the umask says, where other
/// temporary files are for their owner only.
///
/// # Errors
/// If it cannot be created.
pub fn shared_temp_in(folder: &std::path::Path) -> std::io::Result<tempfile::NamedTempFile> {
    use std::os::unix::fs::PermissionsExt;
    let permissions = std::fs::Permissions::from_mode(0o666);
    tempfile::Builder::new().permissions(permissions).tempfile_in(folder)
}

/// Writes a small file in one durable step: temp, sync, rename, sync of the folder. What was there is replaced.
///
/// # Errors
/// If a step fails; then the file is either the old one or the new one.
pub fn write_file(path: &std::path::Path, bytes: &[u8]) -> std::io::Result<()> {
    let folder = folder_of(path);
    let mut file = shared_temp_in(folder)?;
    std::io::Write::write_all(&mut file, bytes)?;
    file.as_file().sync_all()?;
    file.persist(path).map_err(|error| error.error)?;
    std::fs::File::open(folder)?.sync_all()
}

/// Writes a secret to a new small file for its owner only, in one durable step: temp, sync, rename, sync of the folder.
///
/// # Errors
/// `AlreadyExists` if something is there, which stays as it is; or if a step fails, and then there is nothing, or all of it.
pub fn write_secret(path: &std::path::Path, bytes: &[u8]) -> std::io::Result<()> {
    let folder = folder_of(path);
    let mut file = tempfile::NamedTempFile::new_in(folder)?; // mode 0600 from the beginning
    std::io::Write::write_all(&mut file, bytes)?;
    file.as_file().sync_all()?;
    file.persist_noclobber(path).map_err(|error| error.error)?;
    std::fs::File::open(folder)?.sync_all()
}
