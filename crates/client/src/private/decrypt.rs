//! From ciphertext to plaintext: all of it, or the cells of a range.

use std::ops::Range;

use super::cells::{CELL_BYTES, Cells, HEADER_BYTES, Layout, STORED_CELL_BYTES};
use super::{Kind, PieceKey, TAG_BYTES};

/// Why a ciphertext cannot be opened.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// It does not start as private pieces do.
    #[error("it is no private piece, or its first bytes are damaged")]
    NotPrivate,
    /// A form that this program does not know.
    #[error("it is a private piece of another version")]
    Version,
    /// The key does not belong to it.
    #[error("the key is that of another piece, or the header is damaged")]
    WrongKey,
    /// No ciphertext is so long.
    #[error("no private piece has {bytes} bytes: it was cut off or something was added")]
    Length {
        /// Its length.
        bytes: u64,
    },
    /// A cell was changed, moved, or is last without having been written so.
    #[error("cell {place} is damaged, in another place than it was, or the last and should not be")]
    Cell {
        /// Counted from zero.
        place: u32,
    },
    /// Fewer or more bytes came than the range has.
    #[error("the ciphertext did not end where it should")]
    Incomplete,
}

/// A private piece whose key fits.
pub struct Opened {
    cells: Cells,
    kind: Kind,
    layout: Layout,
}

impl Opened {
    /// Opens a ciphertext by its first bytes and its length.
    ///
    /// # Errors
    /// If it is no private piece, has an impossible length, or another key.
    pub fn open(key: &PieceKey, start: &[u8], bytes: u64) -> Result<Self, OpenError> {
        let header: &[u8; HEADER_BYTES] = start.first_chunk().ok_or(OpenError::NotPrivate)?;
        let (cells, kind) = Cells::open(key, header)?;
        let layout = Layout::of(bytes).ok_or(OpenError::Length { bytes })?;
        Ok(Self { cells, kind, layout })
    }

    /// What the content is.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Length of the content, as it follows from that of the ciphertext.
    pub fn content_bytes(&self) -> u64 {
        self.layout.content_bytes()
    }

    /// Reads a range of the content.
    ///
    /// # Panics
    /// If it reaches beyond the content.
    pub fn read(&self, content: Range<u64>) -> CellReader<'_> {
        assert!(content.end <= self.content_bytes(), "the range is within the content");
        let places = self.layout.cells(&content);
        let stored = Vec::with_capacity(CELL_BYTES + TAG_BYTES);
        CellReader { opened: self, content, places, stored }
    }
}

/// Takes the ciphertext of some cells and gives the content that was asked for.
pub struct CellReader<'a> {
    opened: &'a Opened,
    content: Range<u64>,
    /// Cells still to come, of which the first is under way.
    places: Range<u32>,
    stored: Vec<u8>,
}

impl CellReader<'_> {
    /// The bytes of the ciphertext that are needed; never none, because even an empty content has a cell.
    pub fn wanted(&self) -> Range<u64> {
        let stored = self.opened.layout.stored(&self.places);
        stored.start + self.stored.len() as u64..stored.end
    }

    /// Takes the next bytes of what was wanted and appends content to `out`: only such as is authentic.
    ///
    /// # Errors
    /// If a cell is not authentic, or nothing is wanted any more.
    pub fn push(&mut self, mut data: &[u8], out: &mut Vec<u8>) -> Result<(), OpenError> {
        while !data.is_empty() {
            if self.places.is_empty() {
                return Err(OpenError::Incomplete);
            }
            let stored = self.opened.layout.stored(&(self.places.start..self.places.start + 1));
            let whole = usize::try_from(stored.end - stored.start).expect("a cell");
            debug_assert!(whole as u64 <= STORED_CELL_BYTES);
            let taken = data.len().min(whole - self.stored.len());
            self.stored.extend_from_slice(&data[..taken]);
            data = &data[taken..];
            if self.stored.len() == whole {
                self.open_cell(out)?;
            }
        }
        Ok(())
    }

    /// Ends the range.
    ///
    /// # Errors
    /// If something is missing.
    pub fn finish(self) -> Result<(), OpenError> {
        if self.places.is_empty() { Ok(()) } else { Err(OpenError::Incomplete) }
    }

    fn open_cell(&mut self, out: &mut Vec<u8>) -> Result<(), OpenError> {
        let place = self.places.start;
        let Opened { cells, layout, .. } = self.opened;
        cells.decrypt(place, place == layout.last, &mut self.stored)?;
        let start = u64::from(place) * CELL_BYTES as u64;
        let within = |at: u64| {
            let at = at.saturating_sub(start).min(self.stored.len() as u64);
            usize::try_from(at).expect("within a cell")
        };
        out.extend_from_slice(&self.stored[within(self.content.start)..within(self.content.end)]);
        self.stored.clear();
        self.places.start += 1;
        Ok(())
    }
}
