//! Fetches private pieces: ciphertext comes, plaintext is written.

use std::path::Path;

use holdfast_core::block::BlockId;
use holdfast_net::Net;
use holdfast_store::export::archive::{Archive, ArchiveError};
use holdfast_store::export::content::ContentReader;
use holdfast_store::export::range::ByteRange;
use holdfast_store::export::{ExportError, TreeWriter};
use holdfast_store::folder_of;

use super::source::Source;
use super::{ContentError, Fetched, GetError, OpenError, OutsideFile, Sink};
use crate::network::Network;
use crate::private::{HEADER_BYTES, Kind, Opened, PieceKey};

/// A private piece whose header was fetched and whose key fits.
pub struct PrivatePiece<'a, P> {
    source: Source<'a, P>,
    root: BlockId,
    opened: Opened,
}

impl<'a, P: FnMut(u64)> PrivatePiece<'a, P> {
    /// Fetches the header and opens it.
    ///
    /// # Errors
    /// If it cannot be fetched, is no private piece, or another key's.
    pub async fn open(
        net: &'a Net,
        network: &'a Network,
        root: BlockId,
        key: &PieceKey,
        progress: P,
    ) -> Result<Self, GetError> {
        let mut source = Source::start(net, network, root, progress);
        let mut reader = ContentReader::new(root, ByteRange::from(0..HEADER_BYTES as u64));
        let mut header = Vec::new();
        let read = source.read(&mut reader, async |data| {
            header.extend_from_slice(data);
            Ok(())
        });
        let read = read.await;
        let failed = |source| GetError::Open { root, source };
        match read {
            // A folder or an empty file is a good DAG, but nothing that was encrypted.
            Err(GetError::Content(ContentError::NotAFile { .. } | ContentError::Outside(_))) => {
                return Err(failed(OpenError::NotPrivate));
            }
            read => read?,
        }
        let opened = Opened::open(key, &header, reader.file_bytes()).map_err(failed)?;
        Ok(Self { source, root, opened })
    }

    /// What the piece holds.
    pub fn kind(&self) -> Kind {
        self.opened.kind()
    }

    /// Writes a range of the content: of a file its bytes, of a folder those of its CAR. Only the blocks with the
    /// cells of the range are fetched.
    ///
    /// # Errors
    /// See [`GetError`]; what a stream has taken by then is checked, and cannot be taken back.
    pub async fn content(mut self, range: ByteRange, mut sink: Sink) -> Result<Fetched, GetError> {
        self.read(range, async |data| sink.write(data).await).await?;
        sink.finish().await?;
        Ok(self.source.fetched())
    }

    /// Writes the folder that the piece holds to `target`, which must not exist. Meanwhile its CAR lies, unlinked,
    /// in temporary space beside the target.
    ///
    /// # Errors
    /// See [`GetError`]; nothing is left at the target.
    pub async fn tree(mut self, target: &Path) -> Result<Fetched, GetError> {
        if target.symlink_metadata().is_ok() {
            return Err(ExportError::Exists { path: target.into() }.into());
        }
        let root = self.root;
        let failed = |error| match error {
            ArchiveError::Scratch(source) => GetError::Write { path: target.into(), source },
            source @ ArchiveError::Check(_) => GetError::Archive { root, source: Box::new(source) },
        };
        let mut archive = Archive::new(folder_of(target)).map_err(|error| failed(error.into()))?;
        self.read(ByteRange::Whole, async |data| archive.push(data).map_err(failed)).await?;
        let piece = archive.finish().map_err(failed)?;
        let mut writer = TreeWriter::new(piece.root(), target)?;
        while piece.feed(&mut writer)? {
            // Nothing here waits for the network, but whoever waits for us may have changed their mind.
            tokio::task::yield_now().await;
        }
        writer.finish()?;
        Ok(self.source.fetched())
    }

    async fn read(
        &mut self,
        range: ByteRange,
        mut each: impl AsyncFnMut(&[u8]) -> Result<(), GetError>,
    ) -> Result<(), GetError> {
        let Self { source, root, opened } = self;
        let outside = |error: OutsideFile| GetError::from(ContentError::from(error));
        let mut cells = opened.read(range.within(opened.content_bytes()).map_err(outside)?);
        let mut reader = ContentReader::new(*root, cells.wanted().into());
        let failed = |source| GetError::Open { root: *root, source };
        let mut content = Vec::new();
        let decrypt = async |data: &[u8]| {
            content.clear();
            cells.push(data, &mut content).map_err(failed)?;
            each(&content).await
        };
        source.read(&mut reader, decrypt).await?;
        cells.finish().map_err(failed)
    }
}
