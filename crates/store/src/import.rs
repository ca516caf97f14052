//! A file or folder becomes a UnixFS DAG, in one pass and constant memory.
//!
//! The pass reads every byte once and hashes it to leaf CIDs. Leaves are not kept: only where they lie in
//! their file. Inner nodes go to a temporary file. What comes out is a [`Dag`], from which
//! [`crate::source`] makes the byte stream of the piece.

use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use cid::Cid;
use holdfast_core::block::{BLOCK_BYTES_MAX, BlockId};
use multihash_codetable::Code;
use rust_unixfs::Metadata;
use rust_unixfs::dir::builder::{BufferingTreeBuilder, TreeOptions};
use rust_unixfs::file::adder::{BalancedCollector, Chunker, FileAdder};
use rust_unixfs::symlink::symlink_block;

use crate::source::{Dag, DagBuilder, FileIndex};

/// How files are cut into blocks. The same file under another profile has another CID.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ImportProfile {
    /// Its name, as users write it and bundles carry it.
    pub name: &'static str,
    leaf_bytes: usize,
    links: usize,
}

impl ImportProfile {
    /// The IPFS community's 2025 default (IPIP-499): 1 MiB leaves, 1,024 links, CIDv1, raw leaves.
    pub const UNIXFS_V1_2025: Self = Self { name: "unixfs-v1-2025", leaf_bytes: 1 << 20, links: 1024 };
    /// What IPFS did before, with CIDv1 and raw leaves: 256 KiB leaves, 174 links.
    pub const KIB256_LINKS174: Self = Self { name: "256KiB-174", leaf_bytes: 256 << 10, links: 174 };

    /// Every profile, the default first.
    pub const ALL: [Self; 2] = [Self::UNIXFS_V1_2025, Self::KIB256_LINKS174];

    /// Finds a profile by its name.
    pub fn by_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|profile| profile.name == name)
    }
}

/// Folders whose names and CIDs take more than this are sharded (HAMT), as IPFS implementations do.
const SHARD_THRESHOLD_BYTES: u64 = 256 << 10;

/// Deepest folder that is imported; deeper trees are almost always loops.
const DEPTH_MAX: usize = 512;

/// Why a file or folder could not be imported.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// A file or folder cannot be read.
    #[error("could not read {}", path.display())]
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A name that UnixFS cannot hold.
    #[error("{} has a name that is not UTF-8", path.display())]
    Name {
        /// Which.
        path: PathBuf,
    },
    /// A socket, device or pipe.
    #[error("{} is neither file, folder nor symbolic link", path.display())]
    Kind {
        /// Which.
        path: PathBuf,
    },
    /// Folders nested too deep.
    #[error("{} is nested more than {DEPTH_MAX} folders deep", path.display())]
    Depth {
        /// Which.
        path: PathBuf,
    },
    /// A folder could not be turned into blocks.
    #[error("could not make a UnixFS folder of {}: {why}", path.display())]
    Folder {
        /// Which.
        path: PathBuf,
        /// What the library said.
        why: String,
    },
    /// Temporary space failed.
    #[error("could not write temporary data")]
    Scratch(#[from] io::Error),
}

/// Imports a file or folder. `scratch` is where temporary files go; `progress` is told bytes as they are hashed.
///
/// # Errors
/// See [`ImportError`].
pub fn import(
    path: &Path,
    profile: ImportProfile,
    scratch: &Path,
    progress: &mut dyn FnMut(u64),
) -> Result<Dag, ImportError> {
    let mut importer = Importer { profile, dag: DagBuilder::new(scratch), progress };
    let metadata = fs::metadata(path).map_err(|source| ImportError::Read { path: path.into(), source })?;
    let node = if metadata.is_dir() {
        importer.folder(path, 0)?
    } else if metadata.is_file() {
        importer.file(path)?
    } else {
        return Err(ImportError::Kind { path: path.into() });
    };
    Ok(importer.dag.finish(block_id(&node.cid)))
}

/// A finished file, folder or symlink.
struct Node {
    cid: Cid,
    /// Bytes of all its blocks, repeated if linked repeatedly: dag-pb's `Tsize`.
    tree_bytes: u64,
}

struct Importer<'a> {
    profile: ImportProfile,
    dag: DagBuilder,
    progress: &'a mut dyn FnMut(u64),
}

fn block_id(cid: &Cid) -> BlockId {
    BlockId::try_from(cid).expect("the importer makes SHA-256 CIDs of raw and dag-pb blocks")
}

impl Importer<'_> {
    fn file(&mut self, path: &Path) -> Result<Node, ImportError> {
        let failed = |source| ImportError::Read { path: path.into(), source };
        let mut file = File::open(path).map_err(failed)?;
        let metadata = file.metadata().map_err(failed)?;
        let index = self.dag.add_file(path, &metadata)?;

        let mut adder = FileAdder::builder()
            .with_chunker(Chunker::Size(self.profile.leaf_bytes))
            .with_collector(BalancedCollector::with_branching_factor(self.profile.links))
            .build();
        let mut buffer = vec![0; leaf_buffer(metadata.len(), self.profile.leaf_bytes)];
        let mut node = FileNode { index, offset: 0, tree_bytes: 0, last: None };
        loop {
            let filled = read_full(&mut file, &mut buffer).map_err(failed)?;
            let mut rest = &buffer[..filled];
            while !rest.is_empty() {
                let (blocks, taken) = adder.push(rest);
                for (cid, data) in blocks {
                    node.take(&mut self.dag, cid, &data)?;
                }
                rest = &rest[taken..];
            }
            (self.progress)(filled as u64);
            if filled < buffer.len() {
                break;
            }
        }
        for (cid, data) in adder.finish() {
            node.take(&mut self.dag, cid, &data)?;
        }
        Ok(Node { cid: node.last.expect("even an empty file has one block"), tree_bytes: node.tree_bytes })
    }

    fn folder(&mut self, path: &Path, depth: usize) -> Result<Node, ImportError> {
        if depth == DEPTH_MAX {
            return Err(ImportError::Depth { path: path.into() });
        }
        let failed = |source| ImportError::Read { path: path.into(), source };
        let mut entries =
            fs::read_dir(path).map_err(failed)?.collect::<Result<Vec<_>, _>>().map_err(failed)?;
        entries.sort_by_key(fs::DirEntry::file_name);

        let mut options = TreeOptions::default();
        options.wrap_with_directory();
        options.block_size_limit(None);
        options.shard_threshold(Some(SHARD_THRESHOLD_BYTES));
        let mut builder = BufferingTreeBuilder::new(options);
        let mut tree_bytes = 0;
        for entry in entries {
            let path = entry.path();
            let name =
                entry.file_name().into_string().map_err(|_| ImportError::Name { path: path.clone() })?;
            let kind =
                entry.file_type().map_err(|source| ImportError::Read { path: path.clone(), source })?;
            let node = if kind.is_dir() {
                self.folder(&path, depth + 1)?
            } else if kind.is_file() {
                self.file(&path)?
            } else if kind.is_symlink() {
                self.symlink(&path)?
            } else {
                return Err(ImportError::Kind { path });
            };
            tree_bytes += node.tree_bytes;
            builder
                .put_link(&name, node.cid, node.tree_bytes)
                .map_err(|error| ImportError::Folder { path, why: error.to_string() })?;
        }
        let mut last = None;
        for node in builder.build() {
            let node =
                node.map_err(|error| ImportError::Folder { path: path.into(), why: error.to_string() })?;
            tree_bytes += node.block.len() as u64;
            self.dag.add_node(block_id(&node.cid), &node.block)?;
            last = Some(node.cid);
        }
        Ok(Node { cid: last.expect("even an empty folder has one block"), tree_bytes })
    }

    fn symlink(&mut self, path: &Path) -> Result<Node, ImportError> {
        let target = fs::read_link(path).map_err(|source| ImportError::Read { path: path.into(), source })?;
        let target = std::str::from_utf8(target.as_os_str().as_bytes())
            .map_err(|_| ImportError::Name { path: path.into() })?;
        let (cid, data) = symlink_block(target, &Metadata::default(), cid::Version::V1, Code::Sha2_256);
        self.dag.add_node(block_id(&cid), &data)?;
        Ok(Node { cid, tree_bytes: data.len() as u64 })
    }
}

/// The blocks of one file, as the adder makes them.
struct FileNode {
    index: FileIndex,
    offset: u64,
    tree_bytes: u64,
    last: Option<Cid>,
}

impl FileNode {
    fn take(&mut self, dag: &mut DagBuilder, cid: Cid, data: &[u8]) -> io::Result<()> {
        debug_assert!(data.len() <= BLOCK_BYTES_MAX);
        self.tree_bytes += data.len() as u64;
        self.last = Some(cid);
        let id = block_id(&cid);
        if id.codec() == holdfast_core::block::Codec::Raw {
            dag.add_leaf(id, self.index, self.offset, data.len())?;
            self.offset += data.len() as u64;
        } else {
            dag.add_node(id, data)?;
        }
        Ok(())
    }
}

/// A buffer no larger than the file needs: folders of small files are common.
fn leaf_buffer(file_bytes: u64, leaf_bytes: usize) -> usize {
    let wanted = usize::try_from(file_bytes).unwrap_or(usize::MAX).saturating_add(1);
    wanted.min(leaf_bytes)
}

/// Reads until the buffer is full or the file ends.
fn read_full(file: &mut File, buffer: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match file.read(&mut buffer[filled..]) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

#[cfg(test)]
mod tests;
