//! Blocks become files and folders again.
//!
//! [`TreeWriter`] names the blocks it needs next, in order, and takes them one by one. The DAG was made by
//! someone else, so names that would leave the folder are refused, and nothing is ever written through a link:
//! every file and folder must be new. Everything lies under a temporary name until [`TreeWriter::finish`].

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use cid::Cid;
use holdfast_core::block::{self, BlockId, Codec};
use holdfast_core::{explain, protobuf};
use rust_unixfs::dir::{NodeDescription, describe};
use rust_unixfs::walk::{ContinuedWalk, Walker};
use rustix::fs::{CWD, RenameFlags, renameat, renameat_with};
use rustix::io::Errno;

use self::content::{ContentError, Node};
use crate::folder_of;

pub mod archive;
pub mod content;
pub mod list;
pub mod range;

/// Deepest folder that is written.
const DEPTH_MAX: usize = 512;

/// Small writes are gathered up to so many bytes.
const BUFFER_BYTES: usize = 64 << 10;
/// Large writes go out in parts. For a whole block at once the page cache takes long runs of free memory, and on a virtual
/// machine those are the ones that its host must give back first: that made a get take twice as long.
const WRITE_BYTES: usize = 128 << 10;

/// Why a DAG could not be written out.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The target is there already.
    #[error("{} exists already", path.display())]
    Exists {
        /// Which.
        path: PathBuf,
    },
    /// Not a UnixFS DAG.
    #[error("block {id} is not UnixFS: {why}")]
    NotUnixFs {
        /// The block.
        id: BlockId,
        /// What is wrong with it.
        why: String,
    },
    /// An entry whose name would leave its folder, or that is there twice.
    #[error("refused to write entry {name:?}: {why}")]
    Name {
        /// The entry.
        name: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// A file or folder cannot be written.
    #[error("could not write {}", path.display())]
    Write {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Temporary space failed.
    #[error("could not use temporary data")]
    Scratch {
        /// Why.
        source: io::Error,
    },
}

/// What is still to be done, topmost first.
enum Todo {
    /// The whole tree.
    Root { cid: BlockId },
    /// A file, folder or symlink of this name in this folder, whose first block is this.
    Entry { cid: BlockId, folder: Arc<Path>, name: Box<str>, depth: usize },
    /// More of a sharded folder.
    Shard { cid: BlockId, path: Arc<Path>, depth: usize },
    /// The sharded folder begun last is complete.
    EndOfShards,
    /// More of the open file: so many bytes, as the node above claims.
    Content { cid: BlockId, bytes: u64 },
    /// The open file is complete.
    EndOfFile,
}

struct OpenFile {
    file: io::BufWriter<File>,
    path: Arc<Path>,
    first: BlockId,
    written: u64,
    expected: u64,
}

/// Writes one UnixFS DAG. See the module's documentation.
pub struct TreeWriter {
    todo: Vec<Todo>,
    open: Option<OpenFile>,
    /// Shards of each sharded folder that is open, the innermost last: in a sound folder each comes once, and a bomb
    /// repeats them.
    shards: Vec<BTreeSet<BlockId>>,
    target: PathBuf,
    partial: PathBuf,
    finished: bool,
    content_bytes: u64,
}

impl TreeWriter {
    /// Prepares to write the DAG under `root` to `target`, which must not exist.
    ///
    /// # Errors
    /// If it exists.
    pub fn new(root: BlockId, target: &Path) -> Result<Self, ExportError> {
        if target.symlink_metadata().is_ok() {
            return Err(ExportError::Exists { path: target.into() });
        }
        if let Err(source) = folder_of(target).metadata() {
            return Err(ExportError::Write { path: target.into(), source });
        }
        let name = target.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let partial = target.with_file_name(format!(".{name}.partial-{}", std::process::id()));
        // What an earlier process of the same number left is ours to remove.
        remove(&partial).map_err(|source| ExportError::Write { path: partial.clone(), source })?;
        let todo = vec![Todo::Root { cid: root }];
        Ok(Self {
            todo,
            open: None,
            shards: Vec::new(),
            target: target.into(),
            partial,
            finished: false,
            content_bytes: 0,
        })
    }

    /// The blocks needed next, in order, as far as they are known. The first is the one that
    /// [`TreeWriter::push`] takes.
    pub fn wanted(&self) -> impl Iterator<Item = BlockId> + '_ {
        self.todo.iter().rev().filter_map(|todo| match todo {
            Todo::Root { cid }
            | Todo::Entry { cid, .. }
            | Todo::Shard { cid, .. }
            | Todo::Content { cid, .. } => Some(*cid),
            Todo::EndOfFile | Todo::EndOfShards => None,
        })
    }

    /// Bytes of file content written so far.
    pub fn content_bytes(&self) -> u64 {
        self.content_bytes
    }

    /// Takes the bytes of the first wanted block, which the caller has checked against its name.
    ///
    /// # Errors
    /// If they are not UnixFS, break a rule, or cannot be written.
    ///
    /// # Panics
    /// If no block is wanted.
    pub fn push(&mut self, data: &[u8]) -> Result<(), ExportError> {
        match self.todo.pop().expect("a block is wanted") {
            Todo::Root { cid } => self.entry(cid, data, self.partial.as_path().into(), 0)?,
            Todo::Entry { cid, folder, name, depth } => {
                self.entry(cid, data, folder.join(&*name).into(), depth)?;
            }
            Todo::Shard { cid, path, depth } => self.shard(cid, data, &path, depth)?,
            Todo::Content { cid, bytes } => {
                let node = file_node(cid, data)?;
                if node.bytes != bytes {
                    let why = format!("it has {} bytes, {bytes} were claimed", node.bytes);
                    return Err(ExportError::NotUnixFs { id: cid, why });
                }
                self.content(node)?;
            }
            Todo::EndOfFile | Todo::EndOfShards => {
                unreachable!("ends are handled below as soon as they come up")
            }
        }
        loop {
            match self.todo.last() {
                Some(Todo::EndOfFile) => self.close_file()?,
                Some(Todo::EndOfShards) => drop(self.shards.pop()),
                _ => return Ok(()),
            }
            self.todo.pop();
        }
    }

    /// Gives the finished tree its name.
    ///
    /// # Errors
    /// If the target has appeared meanwhile, or cannot be written.
    ///
    /// # Panics
    /// If blocks are still wanted.
    pub fn finish(mut self) -> Result<(), ExportError> {
        assert!(self.todo.is_empty(), "blocks are still wanted");
        let renamed = match renameat_with(CWD, &self.partial, CWD, &self.target, RenameFlags::NOREPLACE) {
            // A file system that cannot do both at once, such as NFS.
            Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => match self.target.symlink_metadata() {
                Ok(_) => Err(Errno::EXIST),
                Err(_) => renameat(CWD, &self.partial, CWD, &self.target),
            },
            renamed => renamed,
        };
        match renamed {
            Ok(()) => {
                self.finished = true;
                Ok(())
            }
            Err(Errno::EXIST) => Err(ExportError::Exists { path: self.target.clone() }),
            Err(error) => Err(ExportError::Write { path: self.target.clone(), source: error.into() }),
        }
    }

    fn entry(&mut self, cid: BlockId, data: &[u8], path: Arc<Path>, depth: usize) -> Result<(), ExportError> {
        let not_unixfs = |why: &str| ExportError::NotUnixFs { id: cid, why: why.to_owned() };
        match cid.codec() {
            Codec::DagCbor => return Err(not_unixfs("it is dag-cbor; write the DAG to a CAR instead")),
            Codec::Raw => {
                self.open_file(cid, path, data.len() as u64)?;
                self.append(data)?;
                return self.close_file();
            }
            Codec::DagPb => check_shape(cid, data)?,
        }
        match describe(data) {
            NodeDescription::File { .. } => {
                let node = file_node(cid, data)?;
                self.open_file(cid, path, node.bytes)?;
                self.todo.push(Todo::EndOfFile);
                self.content(node)
            }
            NodeDescription::Directory { links } => {
                self.make_folder(&path, depth)?;
                for link in links.into_iter().rev() {
                    self.plan_entry(&link.name, &link.target, &path, depth)?;
                }
                Ok(())
            }
            NodeDescription::HamtShard { .. } => {
                self.make_folder(&path, depth)?;
                self.shards.push(BTreeSet::new());
                self.todo.push(Todo::EndOfShards);
                self.shard(cid, data, &path, depth)
            }
            NodeDescription::Symlink => {
                let target = symlink_target(cid, data)?;
                let failed = |source| write_error(&path, source);
                std::os::unix::fs::symlink(target, &path).map_err(failed)
            }
            NodeDescription::Other => Err(not_unixfs("unknown kind of node")),
        }
    }

    fn shard(
        &mut self,
        cid: BlockId,
        data: &[u8],
        path: &Arc<Path>,
        depth: usize,
    ) -> Result<(), ExportError> {
        check_shape(cid, data)?;
        let NodeDescription::HamtShard { links } = describe(data) else {
            return Err(ExportError::NotUnixFs { id: cid, why: "expected a folder shard".into() });
        };
        for link in links.into_iter().rev() {
            // A shard's link is named by two hex digits and, if it is an entry, the entry's name.
            match link.name.split_at_checked(2) {
                Some((_, "")) => {
                    let below = block_id(cid, &link.target)?;
                    if !self.shards.last_mut().expect("a sharded folder is open").insert(below) {
                        let why = format!("folder shard {below} comes twice");
                        return Err(ExportError::NotUnixFs { id: cid, why });
                    }
                    self.todo.push(Todo::Shard { cid: below, path: path.clone(), depth });
                }
                Some((_, name)) => self.plan_entry(name, &link.target, path, depth)?,
                None => return Err(bad_name(&link.name, "not the name of a shard's entry")),
            }
        }
        Ok(())
    }

    fn plan_entry(
        &mut self,
        name: &str,
        target: &Cid,
        folder: &Arc<Path>,
        depth: usize,
    ) -> Result<(), ExportError> {
        if name.is_empty() || name == "." || name == ".." || name.contains(['/', '\0']) {
            return Err(bad_name(name, "it would leave its folder"));
        }
        let cid = BlockId::try_from(target)
            .map_err(|_| bad_name(name, "it is an inline block, which only `get --car` can write"))?;
        self.todo.push(Todo::Entry { cid, folder: folder.clone(), name: name.into(), depth: depth + 1 });
        Ok(())
    }

    fn make_folder(&mut self, path: &Path, depth: usize) -> Result<(), ExportError> {
        if depth == DEPTH_MAX {
            return Err(bad_name(&path.to_string_lossy(), "nested too deep"));
        }
        fs::create_dir(path).map_err(|source| write_error(path, source))
    }

    /// Writes what lies in a node, and plans what lies under it. Parts of no bytes are passed by: nodes that link to
    /// the same empty ones again and again would take for ever.
    fn content(&mut self, node: Node<'_>) -> Result<(), ExportError> {
        let parts = node.parts.into_iter().rev().filter(|(_, bytes)| *bytes > 0);
        self.todo.extend(parts.map(|(cid, bytes)| Todo::Content { cid, bytes }));
        self.append(node.content)
    }

    fn open_file(&mut self, first: BlockId, path: Arc<Path>, expected: u64) -> Result<(), ExportError> {
        let file = File::create_new(&path).map_err(|source| write_error(&path, source))?;
        let file = io::BufWriter::with_capacity(BUFFER_BYTES, file);
        self.open = Some(OpenFile { file, path, first, written: 0, expected });
        Ok(())
    }

    fn append(&mut self, data: &[u8]) -> Result<(), ExportError> {
        let open = self.open.as_mut().expect("content belongs to an open file");
        open.written += data.len() as u64;
        self.content_bytes += data.len() as u64;
        if open.written > open.expected {
            return Err(size_error(open));
        }
        let written = data.chunks(WRITE_BYTES).try_for_each(|part| open.file.write_all(part));
        written.map_err(|source| write_error(&open.path, source))
    }

    fn close_file(&mut self) -> Result<(), ExportError> {
        let mut open = self.open.take().expect("an end belongs to an open file");
        if open.written != open.expected {
            return Err(size_error(&open));
        }
        open.file.flush().map_err(|source| write_error(&open.path, source))
    }
}

impl Drop for TreeWriter {
    fn drop(&mut self) {
        if !self.finished
            && let Err(error) = remove(&self.partial)
        {
            tracing::warn!(path = %self.partial.display(), %error, "could not remove a partial file");
        }
    }
}

fn remove(path: &Path) -> io::Result<()> {
    match path.symlink_metadata() {
        Ok(metadata) if metadata.is_dir() => fs::remove_dir_all(path),
        Ok(_) => fs::remove_file(path),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}

/// The UnixFS reader trusts lengths and skips links that it cannot read; here such a block is refused first.
fn check_shape(cid: BlockId, data: &[u8]) -> Result<(), ExportError> {
    let refused = |why: String| ExportError::NotUnixFs { id: cid, why };
    protobuf::check_unixfs(data).map_err(|error| refused(error.to_string()))?;
    block::links(cid.codec(), data).map(drop).map_err(|error| refused(explain(&error)))
}

fn block_id(parent: BlockId, target: &Cid) -> Result<BlockId, ExportError> {
    BlockId::try_from(target).map_err(|error| ExportError::NotUnixFs { id: parent, why: error.to_string() })
}

fn file_node(id: BlockId, data: &[u8]) -> Result<Node<'_>, ExportError> {
    let refused = |why: String| ExportError::NotUnixFs { id, why };
    match Node::read(id, data) {
        Ok(Some(node)) => Ok(node),
        Ok(None) => Err(refused("expected a part of a file".into())),
        Err(ContentError::NotUnixFs { why, .. }) => Err(refused(why)),
        Err(error) => Err(refused(error.to_string())),
    }
}

fn symlink_target(cid: BlockId, data: &[u8]) -> Result<PathBuf, ExportError> {
    use std::os::unix::ffi::OsStrExt;
    let wrong = |why: String| ExportError::NotUnixFs { id: cid, why };
    let mut walker = Walker::new(cid.to_cid(), String::new());
    match walker.next(data, &mut None).map_err(|error| wrong(error.to_string()))? {
        ContinuedWalk::Symlink(target, ..) => Ok(std::ffi::OsStr::from_bytes(target).into()),
        _ => Err(wrong("expected a symbolic link".into())),
    }
}

fn bad_name(name: &str, why: &'static str) -> ExportError {
    ExportError::Name { name: name.into(), why }
}

fn write_error(path: &Path, source: io::Error) -> ExportError {
    if source.kind() == io::ErrorKind::AlreadyExists {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        return bad_name(&name, "another entry of that name was written before");
    }
    ExportError::Write { path: path.into(), source }
}

fn size_error(open: &OpenFile) -> ExportError {
    let OpenFile { first, written, expected, .. } = open;
    ExportError::NotUnixFs { id: *first, why: format!("file of {expected} bytes has {written} or more") }
}

#[cfg(test)]
mod tests;
