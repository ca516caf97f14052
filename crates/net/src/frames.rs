//! Frames on a stream: messages in DAG-CBOR and raw data, each with its length checked before it is read.

use std::io;

use holdfast_core::codec::{self, DecodeError};
use holdfast_core::frame::{self, FrameTooLong, HEAD_BYTES, Head, MESSAGE_BYTES_MAX};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufWriter, ReadHalf, WriteHalf};

/// Messages and heads are gathered up to so many bytes; data goes out as it is.
const SMALL_BYTES: usize = 4 << 10;

/// Why a frame could not be read.
#[derive(Debug, thiserror::Error)]
pub enum FrameError {
    /// The stream failed, or ended inside a frame.
    #[error("stream failed")]
    Stream(#[from] io::Error),
    /// The peer announced a longer frame than allowed.
    #[error(transparent)]
    TooLong(#[from] FrameTooLong),
    /// The peer sent a message that is none.
    #[error("malformed message")]
    Message(#[from] DecodeError),
    /// The peer sent data where a message was due.
    #[error("data where a message was due")]
    Unexpected,
}

/// What was read.
#[derive(Debug)]
pub enum Frame<T> {
    /// A message.
    Message(T),
    /// Data, which stands in the buffer given.
    Data,
}

/// Reads frames.
pub struct FrameReader<S>(ReadHalf<S>);

/// Writes frames.
pub struct FrameWriter<S>(BufWriter<WriteHalf<S>>);

/// Splits a stream into its two directions.
pub fn split<S: AsyncRead + AsyncWrite>(stream: S) -> (FrameReader<S>, FrameWriter<S>) {
    let (reader, writer) = tokio::io::split(stream);
    (FrameReader(reader), FrameWriter(BufWriter::with_capacity(SMALL_BYTES, writer)))
}

impl<S: AsyncRead> FrameReader<S> {
    /// Reads the next frame, or `None` if the peer closed the stream between frames. Data replaces what is in
    /// `buffer`. If the future is dropped after a part of a frame has arrived, the stream must not be read again.
    ///
    /// # Errors
    /// See [`FrameError`].
    pub async fn read<T: DeserializeOwned + Serialize>(
        &mut self,
        buffer: &mut Vec<u8>,
    ) -> Result<Option<Frame<T>>, FrameError> {
        match self.head().await? {
            Some(Head::Message(length)) => {
                self.fill(buffer, length).await?;
                Ok(Some(Frame::Message(codec::decode(buffer, MESSAGE_BYTES_MAX)?)))
            }
            Some(Head::Data(length)) => {
                self.fill(buffer, length).await?;
                Ok(Some(Frame::Data))
            }
            None => Ok(None),
        }
    }

    async fn head(&mut self) -> Result<Option<Head>, FrameError> {
        let mut head = [0; HEAD_BYTES];
        let first = self.0.read(&mut head).await?;
        if first == 0 {
            return Ok(None);
        }
        self.0.read_exact(&mut head[first..]).await?;
        Ok(Some(Head::decode(head)?))
    }

    /// Reads a message, or `None` if the peer closed the stream.
    ///
    /// # Errors
    /// See [`FrameError`].
    pub async fn message<T: DeserializeOwned + Serialize>(&mut self) -> Result<Option<T>, FrameError> {
        match self.head().await? {
            Some(Head::Message(length)) => {
                let mut buffer = Vec::new();
                self.fill(&mut buffer, length).await?;
                Ok(Some(codec::decode(&buffer, MESSAGE_BYTES_MAX)?))
            }
            Some(Head::Data(_)) => Err(FrameError::Unexpected),
            None => Ok(None),
        }
    }

    /// Reads and throws away up to `most` bytes, until the peer closes the stream.
    ///
    /// # Errors
    /// If the stream fails.
    pub async fn discard(&mut self, most: u64) -> io::Result<()> {
        let (mut buffer, mut left) = (vec![0; 16 << 10], most);
        while left > 0 {
            match self.0.read(&mut buffer).await? {
                0 => return Ok(()),
                read => left = left.saturating_sub(read as u64),
            }
        }
        Ok(())
    }

    async fn fill(&mut self, buffer: &mut Vec<u8>, length: usize) -> io::Result<()> {
        buffer.resize(length, 0);
        self.0.read_exact(buffer).await.map(drop)
    }
}

impl<S: AsyncWrite> FrameWriter<S> {
    /// Writes a message and flushes.
    ///
    /// # Errors
    /// If the stream fails.
    pub async fn message<T: Serialize>(&mut self, message: &T) -> io::Result<()> {
        self.queue(message).await?;
        self.0.flush().await
    }

    /// Writes a message that goes out together with what follows.
    ///
    /// # Errors
    /// If the stream fails.
    pub async fn queue<T: Serialize>(&mut self, message: &T) -> io::Result<()> {
        self.0.write_all(&frame::message(message)).await
    }

    /// Writes a data frame, without flushing.
    ///
    /// # Errors
    /// If the stream fails.
    pub async fn data(&mut self, data: &[u8]) -> io::Result<()> {
        self.0.write_all(&Head::Data(data.len()).encode()).await?;
        self.0.write_all(data).await
    }

    /// The bytes below the frames, for tests that send what is none.
    pub fn raw(&mut self) -> &mut (impl AsyncWrite + Unpin + use<S>) {
        &mut self.0
    }

    /// Flushes what was written.
    ///
    /// # Errors
    /// If the stream fails.
    pub async fn flush(&mut self) -> io::Result<()> {
        self.0.flush().await
    }

    /// Ends this direction of the stream.
    ///
    /// # Errors
    /// If the stream fails.
    pub async fn close(&mut self) -> io::Result<()> {
        self.0.shutdown().await
    }
}
