//! The enclave of a member: a journal on a disk of its own, written and synced before anything is signed.

use std::collections::BTreeMap;
use std::io;

use holdfast_core::block::BlockId;
use holdfast_core::bls;
use holdfast_core::id::PieceRoot;
use holdfast_core::purpose::Signable;
use holdfast_proofs::committee::Committee;
use holdfast_proofs::statement::Statement;
use holdfast_store::disk::{Disk, DiskFile};

/// Where the journal lies.
const JOURNAL: &str = "journal";
/// CID key, root, checksum.
const ROW_BYTES: usize = BlockId::KEY_LEN + 32 + 8;

/// Why the enclave did not sign.
#[derive(Debug)]
pub(super) enum SignError {
    /// Another root was signed for this CID.
    SecondRoot,
    /// The journal failed.
    Journal(io::Error),
}

impl std::fmt::Display for SignError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::SecondRoot => f.write_str("another root was signed for this CID"),
            Self::Journal(error) => write!(f, "could not use the journal: {error}"),
        }
    }
}

/// A running enclave.
pub(super) struct Enclave {
    journal: Box<dyn DiskFile>,
    end: u64,
    rows: BTreeMap<BlockId, PieceRoot>,
}

impl Enclave {
    /// Reads the journal, up to the first row that a crash cut off.
    pub(super) fn open(disk: &dyn Disk) -> io::Result<Self> {
        let journal = match disk.open(JOURNAL) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => disk.create(JOURNAL)?,
            opened => opened?,
        };
        disk.sync_folder("")?;
        let mut enclave = Self { journal, end: 0, rows: BTreeMap::new() };
        let bytes = enclave.journal.bytes()?;
        let mut row = [0; ROW_BYTES];
        while enclave.end + ROW_BYTES as u64 <= bytes {
            enclave.journal.read_at(enclave.end, &mut row)?;
            let Some((cid, root)) = parse(&row) else { break };
            enclave.rows.insert(cid, root);
            enclave.end += ROW_BYTES as u64;
        }
        Ok(enclave)
    }

    /// Journals what is about to be signed, durably, and signs it.
    pub(super) fn sign(
        &mut self,
        committee: &Committee,
        secret: &bls::SecretKey,
        statement: &Statement,
    ) -> Result<bls::Signature, SignError> {
        match self.rows.get(&statement.cid) {
            Some(root) if *root == statement.piece_root => {}
            Some(_) => return Err(SignError::SecondRoot),
            None => {
                let row = row(&statement.cid, &statement.piece_root);
                let written = self.journal.write_at(self.end, &row).and_then(|()| self.journal.sync());
                written.map_err(SignError::Journal)?;
                self.end += ROW_BYTES as u64;
                self.rows.insert(statement.cid, statement.piece_root);
            }
        }
        Ok(secret.sign(&statement.signing_input(committee.network())))
    }
}

fn row(cid: &BlockId, root: &PieceRoot) -> Vec<u8> {
    let mut row = [&cid.to_key()[..], root.as_bytes()].concat();
    let checksum = blake3::hash(&row);
    row.extend_from_slice(&checksum.as_bytes()[..8]);
    row
}

fn parse(bytes: &[u8; ROW_BYTES]) -> Option<(BlockId, PieceRoot)> {
    let (key, rest) = bytes.split_first_chunk::<{ BlockId::KEY_LEN }>()?;
    let (cid, root) = (BlockId::from_key(key)?, PieceRoot::new(*rest.first_chunk()?));
    (row(&cid, &root) == bytes).then_some((cid, root))
}
