//! What is measured: one file per operation. Each answers its figures; that a bound is missed is no error.

use crate::figure::Figure;
use crate::ground::{BenchError, Ground, Networks};

mod cid;
mod get;
mod ledger;
mod memory;
mod put;
mod small;
mod verify;

/// What can be measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// Storing a large file.
    Put,
    /// Fetching a large file.
    Get,
    /// Storing one byte, and many small pieces.
    Small,
    /// Checking a certificate.
    Verify,
    /// Naming a file.
    Cid,
    /// How much memory storing and fetching take.
    Memory,
    /// Checking, executing and committing transactions.
    Ledger,
}

impl Operation {
    /// All of them, in the order in which they are best measured.
    pub const ALL: [Self; 7] =
        [Self::Put, Self::Get, Self::Small, Self::Verify, Self::Cid, Self::Memory, Self::Ledger];

    /// Its word on a command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Put => "put",
            Self::Get => "get",
            Self::Small => "small",
            Self::Verify => "verify",
            Self::Cid => "cid",
            Self::Memory => "memory",
            Self::Ledger => "ledger",
        }
    }

    /// What it measures, in a few words.
    pub fn summary(self) -> &'static str {
        match self {
            Self::Put => "Storing a large file",
            Self::Get => "Fetching a large file",
            Self::Small => "Storing one byte, and many small pieces",
            Self::Verify => "Checking a certificate",
            Self::Cid => "Naming a file",
            Self::Memory => "Peak memory; needs five times the size on disk",
            Self::Ledger => "Checking, executing and committing transactions",
        }
    }
}

/// How large the measurements are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sizes {
    /// Bytes of the file that is put, fetched and hashed.
    pub file_bytes: u64,
    /// Bytes of the largest file whose memory is measured.
    pub memory_bytes: u64,
    /// How many small pieces are put.
    pub pieces: usize,
    /// How many accounts the ledger has in the end.
    pub accounts: usize,
}

impl Sizes {
    /// The sizes for which the bounds were set.
    pub const STANDARD: Self =
        Self { file_bytes: 512 << 20, memory_bytes: 8 << 30, pieces: 10_000, accounts: 1_000_000 };
}

/// Measures one operation.
///
/// If the future is dropped, processes are ended and networks stopped; files stay in the ground's folder.
///
/// # Errors
/// If it cannot be measured.
pub async fn measure(
    operation: Operation,
    sizes: &Sizes,
    ground: &Ground,
    networks: &impl Networks,
) -> Result<Vec<Figure>, BenchError> {
    match operation {
        Operation::Put => put::measure(sizes.file_bytes, ground, networks).await,
        Operation::Get => get::measure(sizes.file_bytes, ground, networks).await,
        Operation::Small => small::measure(sizes.pieces, ground, networks).await,
        Operation::Verify => verify::measure(ground).await,
        Operation::Cid => cid::measure(sizes.file_bytes, ground).await,
        Operation::Memory => memory::measure(sizes.memory_bytes, ground, networks).await,
        Operation::Ledger => ledger::measure(sizes.accounts, ground, networks).await,
    }
}

/// A path as an argument; the ground's folder has a name that is text.
fn word(path: &std::path::Path) -> Result<&str, BenchError> {
    path.to_str().ok_or_else(|| BenchError::File {
        path: path.to_owned(),
        source: std::io::Error::new(std::io::ErrorKind::InvalidFilename, "the name is not UTF-8"),
    })
}
