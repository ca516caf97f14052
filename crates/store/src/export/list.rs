//! What lies in a folder, without the content of its files.
//!
//! [`Lister`] is driven like [`TreeWriter`](super::TreeWriter): it names blocks and takes them. It reads the blocks
//! of the folder itself and, for entries that are not plain leaves, the first block of each, which says what it is.

use std::collections::{BTreeSet, VecDeque};

use holdfast_core::block::{BlockId, Codec};
use rust_unixfs::dir::{DirLink, NodeDescription, describe};

use super::{ExportError, block_id, check_shape};

/// Most entries of a folder that is listed: about 20 MB of names and CIDs.
pub const ENTRIES_MAX: usize = 100_000;

/// What a DAG or an entry of a folder is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A file.
    File,
    /// A folder, sharded or not.
    Folder,
    /// A symbolic link.
    Link,
    /// No UnixFS: a DAG of other data.
    Other,
}

/// One entry of a folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its name, as the maker of the folder chose it: it may hold anything.
    pub name: String,
    /// Its root block.
    pub cid: BlockId,
    /// What it is.
    pub kind: Kind,
    /// Bytes of a file, as the maker of the folder says; `None` for anything else.
    pub bytes: Option<u64>,
}

/// A DAG from outside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listing {
    /// What it is.
    pub kind: Kind,
    /// Bytes of a file; `None` for anything else.
    pub bytes: Option<u64>,
    /// The entries of a folder by name; empty for anything else.
    pub entries: Vec<Entry>,
}

enum Todo {
    /// The DAG itself.
    Root(BlockId),
    /// More of a sharded folder.
    Shard(BlockId),
    /// The first block of the entry at this place.
    Head(BlockId, usize),
}

/// Lists one DAG. See the module's documentation.
pub struct Lister {
    todo: VecDeque<Todo>,
    /// Shards planned so far: in a sound folder each comes once, and a bomb repeats them.
    shards: BTreeSet<BlockId>,
    listing: Listing,
}

impl Lister {
    /// Prepares to list the DAG under `root`.
    pub fn new(root: BlockId) -> Self {
        let listing = Listing { kind: Kind::Other, bytes: None, entries: Vec::new() };
        Self { todo: VecDeque::from([Todo::Root(root)]), shards: BTreeSet::new(), listing }
    }

    /// The blocks needed next, in order, as far as they are known. The first is the one that [`Lister::push`]
    /// takes.
    pub fn wanted(&self) -> impl Iterator<Item = BlockId> + '_ {
        self.todo.iter().map(|todo| match todo {
            Todo::Root(cid) | Todo::Shard(cid) | Todo::Head(cid, _) => *cid,
        })
    }

    /// Takes the bytes of the first wanted block, which the caller has checked against its name.
    ///
    /// # Errors
    /// If they are no sound part of a folder, or the folder has more than [`ENTRIES_MAX`] entries.
    ///
    /// # Panics
    /// If no block is wanted.
    pub fn push(&mut self, data: &[u8]) -> Result<(), ExportError> {
        match self.todo.pop_front().expect("a block is wanted") {
            Todo::Root(cid) => self.root(cid, data),
            Todo::Shard(cid) => match described(cid, data)? {
                NodeDescription::HamtShard { links } => self.shard(cid, links),
                _ => Err(ExportError::NotUnixFs { id: cid, why: "expected a folder shard".into() }),
            },
            Todo::Head(cid, place) => {
                // An entry that is not UnixFS does not spoil the list of the others.
                let (kind, bytes) = described(cid, data).map_or((Kind::Other, None), |found| outline(&found));
                let entry = &mut self.listing.entries[place];
                (entry.kind, entry.bytes) = (kind, bytes);
                Ok(())
            }
        }
    }

    /// The list, sorted by name.
    ///
    /// # Panics
    /// If blocks are still wanted.
    pub fn finish(self) -> Listing {
        assert!(self.todo.is_empty(), "blocks are still wanted");
        let mut listing = self.listing;
        listing.entries.sort_by(|left, right| left.name.cmp(&right.name));
        listing
    }

    fn root(&mut self, cid: BlockId, data: &[u8]) -> Result<(), ExportError> {
        let found = match cid.codec() {
            Codec::Raw => NodeDescription::File { size: data.len() as u64 },
            Codec::DagCbor => NodeDescription::Other,
            Codec::DagPb => described(cid, data)?,
        };
        (self.listing.kind, self.listing.bytes) = outline(&found);
        match found {
            NodeDescription::Directory { links } => {
                links.into_iter().try_for_each(|link| self.entry(cid, link.name.clone(), &link))
            }
            NodeDescription::HamtShard { links } => self.shard(cid, links),
            _ => Ok(()),
        }
    }

    fn shard(&mut self, cid: BlockId, links: Vec<DirLink>) -> Result<(), ExportError> {
        let wrong = |why: String| ExportError::NotUnixFs { id: cid, why };
        for link in links {
            // A shard's link is named by two hex digits and, if it is an entry, the entry's name.
            match link.name.split_at_checked(2) {
                Some((_, "")) => {
                    let below = block_id(cid, &link.target)?;
                    if !self.shards.insert(below) {
                        return Err(wrong(format!("folder shard {below} comes twice")));
                    }
                    self.todo.push_back(Todo::Shard(below));
                }
                Some((_, name)) => self.entry(cid, name.to_owned(), &link)?,
                None => return Err(wrong(format!("{:?} is no name of a shard's entry", link.name))),
            }
        }
        Ok(())
    }

    fn entry(&mut self, folder: BlockId, name: String, link: &DirLink) -> Result<(), ExportError> {
        if self.listing.entries.len() == ENTRIES_MAX {
            let why = format!("more than {ENTRIES_MAX} entries");
            return Err(ExportError::NotUnixFs { id: folder, why });
        }
        let cid = block_id(folder, &link.target)?;
        let (kind, bytes) = match cid.codec() {
            Codec::Raw => (Kind::File, Some(link.tsize)),
            Codec::DagCbor => (Kind::Other, None),
            Codec::DagPb => {
                self.todo.push_back(Todo::Head(cid, self.listing.entries.len()));
                (Kind::Other, None)
            }
        };
        self.listing.entries.push(Entry { name, cid, kind, bytes });
        Ok(())
    }
}

fn described(cid: BlockId, data: &[u8]) -> Result<NodeDescription, ExportError> {
    check_shape(cid, data)?;
    Ok(describe(data))
}

fn outline(found: &NodeDescription) -> (Kind, Option<u64>) {
    match found {
        NodeDescription::File { size } => (Kind::File, Some(*size)),
        NodeDescription::Directory { .. } | NodeDescription::HamtShard { .. } => (Kind::Folder, None),
        NodeDescription::Symlink => (Kind::Link, None),
        NodeDescription::Other => (Kind::Other, None),
    }
}
