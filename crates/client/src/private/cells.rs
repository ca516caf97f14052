//! The cipher of private pieces: a header that commits to the key, and cells that know their place.

use std::ops::Range;

use chacha20poly1305::aead::KeyInit;
use chacha20poly1305::aead::stream::{NewStream, StreamBE32, StreamPrimitive};
use chacha20poly1305::{ChaCha20Poly1305, Key};
use zeroize::{Zeroize, Zeroizing};

use super::PieceKey;
use super::decrypt::OpenError;

/// Content of a cell: as in other formats of this construction, large enough that tags cost 0.02 %, small enough
/// that a short range costs little.
pub const CELL_BYTES: usize = 64 << 10;
/// What authenticates a cell, behind its bytes.
pub const TAG_BYTES: usize = 16;
/// A cell as it is stored.
pub(super) const STORED_CELL_BYTES: u64 = (CELL_BYTES + TAG_BYTES) as u64;
/// Magic and key check.
pub const HEADER_BYTES: usize = MAGIC.len() + CHECK_BYTES;

/// How a private piece of any version starts.
const MAGIC_START: &[u8] = b"holdfast/priv/";
/// How a private piece of this version starts.
const MAGIC: [u8; 16] = *b"holdfast/priv/01";
/// A commitment to the key: nobody can make one piece that two keys open.
const CHECK_BYTES: usize = 32;
/// What separates this use of a key from any other.
const LABEL: &[u8] = b"holdfast private piece 1";

/// What the content of a private piece is. It is part of what is authenticated, and hidden like the rest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The bytes of a file.
    File,
    /// The canonical CAR of a folder, or of any other DAG.
    Tree,
}

impl Kind {
    pub(super) const ALL: [Self; 2] = [Self::File, Self::Tree];

    fn number(self) -> u8 {
        match self {
            Self::File => 1,
            Self::Tree => 2,
        }
    }
}

/// Encrypts and decrypts the cells of one piece.
pub(super) struct Cells {
    check: [u8; CHECK_BYTES],
    stream: StreamBE32<ChaCha20Poly1305>,
}

impl Cells {
    /// Spec: private, section "Keys".
    pub(super) fn new(key: &PieceKey, kind: Kind) -> Self {
        let mut hasher = blake3::Hasher::new_keyed(key.bytes());
        hasher.update(LABEL).update(&[kind.number()]);
        let mut derived = Zeroizing::new([0; CHECK_BYTES + 32]);
        let mut output = hasher.finalize_xof();
        output.fill(&mut derived[..]);
        output.zeroize();
        hasher.zeroize();
        let (check, cell_key) = derived.split_first_chunk().expect("the check comes first");
        // Every piece has a key of its own, so the rest of the nonce may be zero.
        let cipher = ChaCha20Poly1305::new(Key::from_slice(cell_key));
        Self { check: *check, stream: StreamBE32::from_aead(cipher, &[0; 7].into()) }
    }

    pub(super) fn header(&self) -> [u8; HEADER_BYTES] {
        let mut header = [0; HEADER_BYTES];
        header[..MAGIC.len()].copy_from_slice(&MAGIC);
        header[MAGIC.len()..].copy_from_slice(&self.check);
        header
    }

    /// Finds the kind under which the key fits a header.
    pub(super) fn open(key: &PieceKey, header: &[u8; HEADER_BYTES]) -> Result<(Self, Kind), OpenError> {
        if !header.starts_with(MAGIC_START) {
            return Err(OpenError::NotPrivate);
        }
        if !header.starts_with(&MAGIC) {
            return Err(OpenError::Version);
        }
        let mut kinds = Kind::ALL.into_iter().map(|kind| (Self::new(key, kind), kind));
        kinds.find(|(cells, _)| cells.header() == *header).ok_or(OpenError::WrongKey)
    }

    /// Encrypts a cell in place and appends its tag.
    pub(super) fn encrypt(&self, place: u32, is_last: bool, cell: &mut Vec<u8>) {
        self.stream
            .encrypt_in_place(place, is_last, &[], cell)
            .expect("a cell is far below the cipher's limit");
    }

    /// Decrypts a cell in place and takes off its tag.
    pub(super) fn decrypt(&self, place: u32, is_last: bool, cell: &mut Vec<u8>) -> Result<(), OpenError> {
        self.stream.decrypt_in_place(place, is_last, &[], cell).map_err(|_| OpenError::Cell { place })
    }
}

/// Where cells lie in a ciphertext, which follows from its length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Layout {
    bytes: u64,
    pub(super) last: u32,
}

impl Layout {
    /// The layout of a ciphertext of this length, header included; `None` if no ciphertext has it.
    pub(super) fn of(bytes: u64) -> Option<Self> {
        let cells = bytes.checked_sub(HEADER_BYTES as u64)?;
        let last = cells.div_ceil(STORED_CELL_BYTES).checked_sub(1)?;
        let rest = cells - last * STORED_CELL_BYTES;
        // Only the cell of an empty content is empty.
        let shortest = TAG_BYTES as u64 + u64::from(last > 0);
        (rest >= shortest).then_some(Self { bytes, last: u32::try_from(last).ok()? })
    }

    pub(super) fn content_bytes(&self) -> u64 {
        self.bytes - HEADER_BYTES as u64 - (u64::from(self.last) + 1) * TAG_BYTES as u64
    }

    /// The cells that hold a range of the content. An empty one is in the cell where it starts, and in the last cell if
    /// it starts behind a full one.
    pub(super) fn cells(&self, content: &Range<u64>) -> Range<u32> {
        let place = |at: u64| u32::try_from(at / CELL_BYTES as u64).expect("no more cells than the last");
        let last = place(content.end.max(content.start + 1) - 1);
        place(content.start).min(self.last)..last.min(self.last) + 1
    }

    /// The ciphertext's bytes in which cells lie.
    pub(super) fn stored(&self, cells: &Range<u32>) -> Range<u64> {
        // Behind the last cell, which need not be full, comes nothing.
        let start = |place: u32| (HEADER_BYTES as u64 + u64::from(place) * STORED_CELL_BYTES).min(self.bytes);
        start(cells.start)..start(cells.end)
    }
}
