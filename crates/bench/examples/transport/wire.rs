//! What travels: frames as Holdfast sends them.

use anyhow::{bail, ensure};
use holdfast_core::frame::{HEAD_BYTES, Head};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// Data per frame, as a put sends it.
pub(crate) const FRAME_BYTES: usize = 256 << 10;

/// A connection or stream between two peers.
pub(crate) trait Link: AsyncRead + AsyncWrite + Unpin + Send {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send> Link for T {}

/// Sends frames and returns when the peer has them all.
pub(crate) async fn send(link: &mut (impl Link + ?Sized), frames: usize) -> anyhow::Result<()> {
    // Always the same bytes: nothing on the way compresses or compares them.
    let data = vec![0xa5; FRAME_BYTES];
    for _ in 0..frames {
        link.write_all(&Head::Data(data.len()).encode()).await?;
        link.write_all(&data).await?;
    }
    ask(link).await
}

/// Asks for the byte that says that all has arrived.
pub(crate) async fn ask(link: &mut (impl Link + ?Sized)) -> anyhow::Result<()> {
    link.write_all(&Head::Data(0).encode()).await?;
    link.flush().await?;
    let mut answer = [0];
    link.read_exact(&mut answer).await?;
    ensure!(answer == [1], "an unexpected answer");
    Ok(())
}

/// Takes frames until the peer closes.
pub(crate) async fn receive(link: &mut (impl Link + ?Sized)) -> anyhow::Result<()> {
    let mut data = Vec::new();
    loop {
        let mut head = [0; HEAD_BYTES];
        if link.read(&mut head[..1]).await? == 0 {
            return Ok(());
        }
        link.read_exact(&mut head[1..]).await?;
        match Head::decode(head)? {
            Head::Data(0) => {
                link.write_all(&[1]).await?;
                link.flush().await?;
            }
            Head::Data(length) => {
                data.resize(length, 0);
                link.read_exact(&mut data).await?;
            }
            Head::Message(_) => bail!("a message where data was due"),
        }
    }
}
