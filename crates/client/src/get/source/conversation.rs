//! One provider's link: what it is asked, and what comes back.

use holdfast_core::block::BlockId;
use holdfast_net::frames::{Frame, FrameError, FrameReader, FrameWriter};
use holdfast_net::link::{Link, LinkStream};
use holdfast_protocol::fetch::ProviderIndex;
use holdfast_protocol::get::{self, GetReply, Want};
use holdfast_protocol::link::Start;
use tokio::sync::mpsc;

use super::spares::{self, Spares};

/// Requests waiting for one provider's link. Who takes requests never has more of them than blocks of the window, which is
/// smaller; who answers without taking any may.
const ORDERS: usize = get::WANT_MAX;

/// An event of one provider.
pub(super) struct Event {
    pub(super) provider: ProviderIndex,
    pub(super) what: ProviderEvent,
}

pub(super) enum ProviderEvent {
    Up(mpsc::Sender<Want>),
    Block(Vec<u8>),
    Missing(BlockId),
    /// The link has ended.
    Closed(String),
    /// There was no link, or the provider breaks the rules.
    Lost(String),
}

/// Asks and forwards answers over a link until it ends or the mailbox of requests is closed, then closes the link. Returns
/// its last event.
pub(super) async fn converse(
    mut link: Link,
    provider: ProviderIndex,
    events: &mpsc::Sender<Event>,
    spares: &Spares,
) -> ProviderEvent {
    if let Err(error) = link.writer.queue(&Start::Get(())).await {
        return broken(&error.into());
    }
    let (orders, mailbox) = mpsc::channel(ORDERS);
    let _ = events.send(Event { provider, what: ProviderEvent::Up(orders) }).await; // the source may be done
    tokio::select! {
        end = read(link.reader, provider, events, spares) => end,
        () = write(link.writer, mailbox) => ProviderEvent::Closed("is not needed any more".into()),
    }
}

/// Forwards answers until the link ends, and says why it did.
async fn read(
    mut reader: FrameReader<LinkStream>,
    provider: ProviderIndex,
    events: &mpsc::Sender<Event>,
    spares: &Spares,
) -> ProviderEvent {
    loop {
        let mut data = spares.take();
        let what = match reader.read::<GetReply>(&mut data).await {
            Ok(Some(Frame::Data)) => {
                spares::fit(&mut data);
                ProviderEvent::Block(data)
            }
            Ok(Some(Frame::Message(GetReply::Missing(id)))) => ProviderEvent::Missing(id),
            Ok(None) => return ProviderEvent::Closed("closed the link".into()),
            Err(error) => return broken(&error),
        };
        if events.send(Event { provider, what }).await.is_err() {
            return ProviderEvent::Closed("is not needed any more".into());
        }
    }
}

/// Sends requests until the mailbox is closed. After an error it only waits for that: the reader knows more about a
/// broken link, and what came before it broke is still to be read.
async fn write(mut writer: FrameWriter<LinkStream>, mut mailbox: mpsc::Receiver<Want>) {
    while let Some(want) = mailbox.recv().await {
        if let Err(error) = writer.message(&want).await {
            tracing::debug!(%error, "could not ask");
            while mailbox.recv().await.is_some() {}
        }
    }
}

fn broken(error: &FrameError) -> ProviderEvent {
    match error {
        FrameError::Stream(error) => ProviderEvent::Closed(format!("broke the link: {error}")),
        error => ProviderEvent::Lost(format!("sent what is no answer: {error}")),
    }
}
