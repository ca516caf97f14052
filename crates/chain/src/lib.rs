//! The ledger on disk: blocks in one database, rows and the state tree in another.
//!
//! A block is *committed* once it is durable in `blocks.redb`. What it changes stays in memory, where everybody sees it at
//! once, and now and then a *save* makes all of it durable in `state.redb`. After a crash the state stands where it was
//! saved, and opening the ledger executes the blocks behind it again.
//!
//! ```text
//! blocks.redb   genesis ─ 1 ─ 2 ─ … ─ 40 ─ 41 ─ 42      every block durable, in order
//! state.redb                          40                the last save
//! memory                                   41 ─ 42      lost by a crash, executed again
//! ```
//!
//! Whoever reads has a [`View`]: the ledger after one block, whatever is committed meanwhile.
//! Specification: docs/spec/ledger.md, "On disk". Decision: docs/adr/011-two-databases.md.

use std::convert::Infallible;
use std::fs::{self, File};
use std::io::ErrorKind;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use holdfast_core::id::NetworkId;
use holdfast_ledger::block::{BlockHash, CheckedBlock, Header, Height};
use holdfast_ledger::execute::Executed;
use holdfast_ledger::genesis::Founded;
use redb::Database;

mod error;
mod explorer;
mod history;
mod import;
mod overlay;
mod pipeline;
mod restore;
mod rows;
mod state;
mod view;

pub use error::ChainError;
use error::failed;
pub use explorer::{Explorer, Known, Place};
pub use history::FINALITY_BYTES_MAX;
use history::{Entry, History};
pub use import::{ImportError, import};
pub use restore::{Restore, RestoreError};
use rows::StateFile;
use state::{State, Step};
pub use view::{PAGE_MAX, View};

type Bytes = &'static [u8];

/// Most blocks that are executed again after a crash. Empty blocks cost little to execute and as much as others to save.
const SAVE_BLOCKS: u32 = 64;
/// Bytes of blocks after which the state is saved: what two processors execute again in some eight seconds.
const SAVE_BYTES: usize = 32 << 20;

/// How often a save begins: when one of these is reached. While it goes on, as much may come again, and no more.
#[derive(Clone, Copy, Debug)]
struct Pace {
    blocks: u32,
    /// Of blocks.
    bytes: usize,
    /// Of memory that changes take.
    memory: usize,
}

/// Memory that is good for a ledger of a million accounts, as [`Chain::open`] takes it. What a smaller one does not need is not
/// taken.
pub const MEMORY_BYTES: usize = 512 << 20;

/// Of a ledger's memory, one share is for pages of its blocks, which are mostly written once and read by whoever syncs;
/// seven are for pages of its state; and four each for changes that are saved, or were last, and for those behind them.
const MEMORY_SHARES: usize = 16;

/// A ledger on disk. One process has it open at a time. It is saved when it is dropped.
pub struct Chain {
    history: History,
    state: State,
    pace: Pace,
    /// `None` after a commit that failed, of which nobody knows how far it came.
    tip: Mutex<Option<Tip>>,
}

/// The last block.
struct Tip {
    hash: BlockHash,
    unsaved: Unsaved,
}

/// Blocks that no save has begun with.
#[derive(Clone, Copy, Default)]
struct Unsaved {
    blocks: u32,
    bytes: usize,
}

impl Chain {
    /// Opens the ledger in a folder, or begins it with genesis. It takes up to about `memory_bytes` of memory, see
    /// [`MEMORY_BYTES`].
    ///
    /// After a crash this executes again what was not saved, as [`import`] would.
    ///
    /// # Errors
    /// If it cannot be opened, or began with another genesis.
    pub fn open(folder: &Path, memory_bytes: usize, founded: &Founded) -> Result<Self, ChainError> {
        fs::create_dir_all(folder).map_err(ChainError::Folder)?;
        let share = memory_bytes / MEMORY_SHARES;
        let blocks = open_database(folder, "blocks.redb", share)?;
        let state = open_database(folder, "state.redb", 7 * share)?;
        let pace = Pace { blocks: SAVE_BLOCKS, bytes: SAVE_BYTES, memory: 4 * share };
        Self::over(blocks, state, founded, pace)
    }

    /// The ledger in two databases.
    fn over(blocks: Database, state: Database, founded: &Founded, pace: Pace) -> Result<Self, ChainError> {
        let history = History::new(blocks);
        match history.read()? {
            None => history.append(&Entry { header: &founded.header, body: None, finality: None })?,
            Some(view) if view.header(Height(0))?.as_ref() == Some(&founded.header) => {}
            Some(_) => return Err(ChainError::Genesis),
        }
        let Founded { header, changes, tree } = founded;
        let state = State::open(StateFile::new(state), Step { height: header.height, changes, tree })?;
        let chain = Self { history, state, pace, tip: Mutex::new(None) };
        let unsaved = chain.catch_up(&NetworkId::new(*founded.header.parent.as_bytes()))?;
        let hash = chain.view()?.header().hash();
        *chain.lock() = Some(Tip { hash, unsaved });
        Ok(chain)
    }

    /// Executes the blocks that came after the last save.
    fn catch_up(&self, network: &NetworkId) -> Result<Unsaved, ChainError> {
        let history = self.history.read()?.ok_or(ChainError::Damaged("there is no genesis"))?;
        let last = history.last()?.height;
        let first = self.view()?.header().height.0 + 1;
        if first > last.0 {
            return Ok(Unsaved::default());
        }
        if history.block(Height(first))?.is_none() {
            return Err(ChainError::Missing { height: Height(first) });
        }
        let blocks = (first..=last.0)
            .map(|height| Ok((history.block(Height(height))?.unwrap_or_default(), Vec::new())));
        let mut unsaved = Unsaved::default();
        let take = |executed: &Executed, _: &[u8]| {
            unsaved = self.apply(unsaved, executed, executed.block_bytes().len())?;
            Ok(())
        };
        // They were final when they were committed.
        let verify = |_: &Header, _: &CheckedBlock, _: &[u8]| Ok::<(), Infallible>(());
        pipeline::run(self, network, blocks, &verify, take, |_| {}).map_err(|error| match error {
            ImportError::Chain(error) => error,
            ImportError::Block { at, source } => {
                ChainError::Replay { height: Height(first + at), source: Some(Box::new(source)) }
            }
            ImportError::Malformed { at, .. } | ImportError::Finality { at, .. } => {
                ChainError::Replay { height: Height(first + at), source: None }
            }
        })?;
        Ok(unsaved)
    }

    /// The ledger as it is now, which a crash may take back to the last save until it is opened again.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn view(&self) -> Result<View, ChainError> {
        // In this order, for a block is in the history before it is in the state.
        let state = self.state.view()?;
        let history = self.history.read()?.ok_or(ChainError::Damaged("there is no genesis"))?;
        View::new(state, history)
    }

    /// Takes the next block and what shows that it is final, of which nothing is checked here: when this returns, both are
    /// on stable storage, and a view shows what the block changes.
    ///
    /// # Errors
    /// If it follows another block than the last, or `finality` has more than [`FINALITY_BYTES_MAX`] bytes; then nothing
    /// has changed. If it cannot be written, the block may be there or not, which opening the ledger again will show, and
    /// nothing else is committed before.
    pub fn commit(&self, executed: &Executed, finality: &[u8]) -> Result<(), ChainError> {
        if finality.len() > FINALITY_BYTES_MAX {
            return Err(ChainError::Finality { bytes: finality.len(), max: FINALITY_BYTES_MAX });
        }
        let header = &executed.block().header;
        let mut guard = self.lock();
        let unsaved = match &*guard {
            Some(tip) if tip.hash == header.parent => tip.unsaved,
            Some(_) => return Err(ChainError::Parent),
            None => return Err(ChainError::Stopped),
        };
        *guard = None;
        let block = executed.block_bytes();
        let body = Some((&block[..], executed.receipts()));
        self.history.append(&Entry { header, body, finality: Some(finality) })?;
        let unsaved = self.apply(unsaved, executed, block.len())?;
        *guard = Some(Tip { hash: header.hash(), unsaved });
        Ok(())
    }

    /// Lets the state take a block that is durable.
    fn apply(&self, unsaved: Unsaved, executed: &Executed, bytes: usize) -> Result<Unsaved, ChainError> {
        let height = executed.block().header.height;
        self.state.take(Step { height, changes: executed.changes(), tree: executed.tree() });
        let Unsaved { blocks, bytes } = Unsaved { blocks: unsaved.blocks + 1, bytes: unsaved.bytes + bytes };
        let Pace { blocks: blocks_max, bytes: bytes_max, memory } = self.pace;
        if blocks < blocks_max && bytes < bytes_max && self.state.unsaved_bytes() < memory {
            return Ok(Unsaved { blocks, bytes });
        }
        self.state.begin_save()?;
        Ok(Unsaved::default())
    }

    /// Saves the state, so that opening the ledger executes nothing again.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn save(&self) -> Result<(), ChainError> {
        let mut guard = self.lock();
        let tip = guard.as_mut().ok_or(ChainError::Stopped)?;
        if tip.unsaved.blocks > 0 {
            tip.unsaved = Unsaved::default();
            self.state.begin_save()?;
        }
        self.state.end_save()
    }

    /// Removes blocks and their receipts below a height, the oldest first; headers and finality stay. It stops after 256
    /// blocks, and at the last save, from which on blocks may have to be executed again. Returns the height from which on
    /// blocks are kept now: who wants more asks again.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn prune(&self, keep_blocks_from: Height) -> Result<Height, ChainError> {
        let saved = self.state.saved();
        let below = saved.next().map_or(keep_blocks_from, |unsaved| keep_blocks_from.min(unsaved));
        self.history.prune(below)?;
        let view = self.view()?;
        let next = view.header().height.next().unwrap_or(view.header().height);
        Ok(view.first_block()?.unwrap_or(next))
    }

    fn lock(&self) -> MutexGuard<'_, Option<Tip>> {
        self.tip.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Chain {
    fn drop(&mut self) {
        // What is not saved is executed again.
        let _ = self.save();
        let _ = self.state.end_save();
    }
}

/// Opens a database of a folder, or makes it. One that is half made, which no program could open, never has its name.
fn open_database(folder: &Path, name: &str, cache_bytes: usize) -> Result<Database, ChainError> {
    let path = folder.join(name);
    if !path.try_exists().map_err(ChainError::Folder)? {
        let new = folder.join(format!("{name}.new"));
        match fs::remove_file(&new) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(ChainError::Folder(error)),
            _ => {}
        }
        drop(Database::create(&new).map_err(failed("make"))?);
        let name_it = || {
            File::open(&new)?.sync_all()?;
            fs::rename(&new, &path)?;
            File::open(folder)?.sync_all()
        };
        name_it().map_err(ChainError::Folder)?;
    }
    Database::builder().set_cache_size(cache_bytes).open(path).map_err(failed("open"))
}

#[cfg(test)]
mod tests;
