//! A socket that gives up on a peer who does not take what it asked for.
//!
//! A window begins when the socket takes no more, and ends when everything was handed over. If a whole window passes
//! with less than the least that must be taken, the connection fails. So nobody holds an answer, or a stream, by
//! reading it byte by byte.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep_until};

/// A socket with limited patience for its reader.
pub(crate) struct Patient<S> {
    inner: S,
    window: Duration,
    bytes_min: u64,
    /// Since the reader is behind: when the window ends, and what was taken in it.
    behind: Option<(Pin<Box<Sleep>>, u64)>,
}

impl<S> Patient<S> {
    pub(crate) fn new(inner: S, window: Duration, bytes_min: u64) -> Self {
        Self { inner, window, bytes_min, behind: None }
    }

    /// Judges the reader's pace. `Ready` is an error.
    fn judge(&mut self, context: &mut Context<'_>) -> Poll<io::Error> {
        let window = self.window;
        let begin = || Box::pin(sleep_until(Instant::now() + window));
        let (until, taken) = self.behind.get_or_insert_with(|| (begin(), 0));
        while until.as_mut().poll(context).is_ready() {
            if *taken < self.bytes_min {
                return Poll::Ready(io::Error::new(io::ErrorKind::TimedOut, "the reader is too slow"));
            }
            (*until, *taken) = (begin(), 0);
        }
        Poll::Pending
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Patient<S> {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = Pin::new(&mut this.inner).poll_write(context, bytes);
        this.count(context, written)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = Pin::new(&mut this.inner).poll_write_vectored(context, bytes);
        this.count(context, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    /// The connection flushes when it has nothing left to write: the reader is not behind.
    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        ready!(Pin::new(&mut this.inner).poll_flush(context))?;
        this.behind = None;
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().inner).poll_shutdown(context)
    }
}

impl<S> Patient<S> {
    fn count(
        &mut self,
        context: &mut Context<'_>,
        written: Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        match written {
            Poll::Pending => self.judge(context).map(Err),
            Poll::Ready(Ok(bytes)) => {
                if let Some((_, taken)) = &mut self.behind {
                    *taken = taken.saturating_add(bytes as u64);
                }
                Poll::Ready(Ok(bytes))
            }
            failed => failed,
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Patient<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().inner).poll_read(context, buffer)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    /// What becomes of 100 bytes if the reader takes `step` of them every second. The pipe holds ten.
    async fn write_to_reader_of(step: usize) -> io::Result<()> {
        let (near, mut far) = tokio::io::duplex(10);
        let mut near = Patient::new(near, Duration::from_secs(5), 20);
        let reader = tokio::spawn(async move {
            let mut buffer = vec![0; step];
            loop {
                tokio::time::sleep(Duration::from_secs(1)).await;
                if step > 0 && far.read_exact(&mut buffer).await.is_err() {
                    return;
                }
            }
        });
        let written = async { near.write_all(&[7; 100]).await.and(near.flush().await) };
        let written = tokio::time::timeout(Duration::from_secs(60), written).await;
        reader.abort();
        written.expect("it must not wait for ever")
    }

    #[tokio::test(start_paused = true)]
    async fn a_reader_must_take_the_least_in_each_window() {
        assert!(write_to_reader_of(10).await.is_ok());
        assert!(write_to_reader_of(5).await.is_ok());
        for step in [0, 1, 2] {
            let error = write_to_reader_of(step).await.unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::TimedOut, "{step} bytes a second");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_reader_that_caught_up_begins_anew() {
        let (near, mut far) = tokio::io::duplex(10);
        let mut near = Patient::new(near, Duration::from_secs(5), 20);
        let reader = tokio::spawn(async move {
            let mut buffer = [0; 45];
            far.read_exact(&mut buffer[..15]).await.unwrap();
            tokio::time::sleep(Duration::from_secs(61)).await;
            far.read_exact(&mut buffer[15..]).await.unwrap();
        });
        // It is behind by five bytes, takes them, and then there is nothing to take for a minute.
        near.write_all(&[7; 15]).await.unwrap();
        near.flush().await.unwrap();
        tokio::time::sleep(Duration::from_secs(60)).await;
        near.write_all(&[7; 30]).await.unwrap();
        reader.await.unwrap();
    }
}
