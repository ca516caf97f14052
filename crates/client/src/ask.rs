//! Single questions to nodes.

use std::time::Duration;

use holdfast_core::bls;
use holdfast_core::id::NodeId;
use holdfast_net::frames::{Frame, FrameError, FrameReader, split};
use holdfast_net::{Multiaddr, Net, OpenError, PeerId, Stream};
use holdfast_proofs::certificate::ValidCertificate;
use holdfast_proofs::statement::Statement;
use holdfast_protocol::ask::{self, AskReply, AskRequest, NodeInfo, PeerHint, PeersQuery, PieceInfo};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::task::JoinSet;

use crate::network::{Network, PeerEntry, Peers};

/// Who does not answer a question by then is passed over.
const ANSWER_WINDOW: Duration = Duration::from_secs(5);

/// How often a question is asked, and the pause before it is asked again, which then doubles: a node drops a question that
/// comes at the same moment as another, or closes it when it is busy.
const TRIES: u32 = 5;
const PAUSE: Duration = Duration::from_millis(20);

/// Why a question has no answer.
#[derive(Debug, thiserror::Error)]
pub enum AskError {
    /// The member's entry holds no valid peer id.
    #[error("has no valid peer id")]
    NoPeer,
    /// Not reached.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The stream failed.
    #[error(transparent)]
    Frame(#[from] FrameError),
    /// No answer in time.
    #[error("did not answer in time")]
    Late,
    /// More data than any answer to this question has.
    #[error("announced an answer of {0} bytes, which is too long")]
    TooLong(u64),
    /// An answer to another question, or none.
    #[error("gave no proper answer")]
    NoAnswer,
}

/// Asks. Every question may be asked twice.
async fn ask(net: Net, network: &Network, place: usize, request: AskRequest) -> Result<AskReply, AskError> {
    let reach = network.reach(place).ok_or(AskError::NoPeer)?;
    let nothing = |_: &AskReply| 0;
    let (reply, _) = exchange(&net, reach, (ask::PROTOCOL, &request), (nothing, 0)).await?;
    Ok(reply)
}

/// Sends one message to a peer, which listens at these addresses, on a stream of a protocol, and reads the answer, again and again until it
/// comes or it is too late. Every question may be asked twice. `follows` says how many bytes of data the answer announces, of
/// which there may be at most so many.
pub(crate) async fn exchange<R: DeserializeOwned + Serialize>(
    net: &Net,
    (peer, addresses): (PeerId, Vec<Multiaddr>),
    (protocol, request): (&'static str, &impl Serialize),
    (follows, data_max): (fn(&R) -> u64, usize),
) -> Result<(R, Vec<u8>), AskError> {
    let exchange = || attempt(net, peer, &addresses, (protocol, request), (follows, data_max));
    let persist = async {
        let mut pause = PAUSE;
        for _ in 1..TRIES {
            match exchange().await {
                Err(
                    AskError::Open(OpenError::Stream(_))
                    | AskError::Frame(FrameError::Stream(_))
                    | AskError::NoAnswer,
                ) => {}
                result => return result,
            }
            tokio::time::sleep(pause).await;
            pause *= 2;
        }
        exchange().await
    };
    tokio::time::timeout(ANSWER_WINDOW, persist).await.map_err(|_| AskError::Late)?
}

/// Asks once.
async fn attempt<R: DeserializeOwned + Serialize>(
    net: &Net,
    peer: PeerId,
    addresses: &[Multiaddr],
    (protocol, request): (&'static str, &impl Serialize),
    (follows, data_max): (fn(&R) -> u64, usize),
) -> Result<(R, Vec<u8>), AskError> {
    let (mut reader, mut writer) = split(net.open(peer, addresses, protocol).await?);
    writer.message(request).await.map_err(FrameError::from)?;
    let reply: R = reader.message().await?.ok_or(AskError::NoAnswer)?;
    let bytes = follows(&reply);
    if bytes > data_max as u64 {
        return Err(AskError::TooLong(bytes));
    }
    let data = read_data(&mut reader, bytes).await?;
    Ok((reply, data))
}

/// Reads so many bytes of data. Memory follows what arrives.
async fn read_data(reader: &mut FrameReader<Stream>, bytes: u64) -> Result<Vec<u8>, AskError> {
    let (mut data, mut buffer) = (Vec::new(), Vec::new());
    while (data.len() as u64) < bytes {
        match reader.read::<()>(&mut buffer).await? {
            Some(Frame::Data) if data.len() as u64 + buffer.len() as u64 <= bytes && !buffer.is_empty() => {
                data.extend_from_slice(&buffer);
            }
            _ => return Err(AskError::NoAnswer),
        }
    }
    Ok(data)
}

/// What the member at a place says of a piece.
///
/// # Errors
/// See [`AskError`].
pub async fn piece(
    net: &Net,
    network: &Network,
    place: usize,
    cid: holdfast_core::block::BlockId,
) -> Result<Option<PieceInfo>, AskError> {
    match ask(net.clone(), network, place, AskRequest::Piece(cid)).await? {
        AskReply::Piece(info) => Ok(info),
        _ => Err(AskError::NoAnswer),
    }
}

/// What the member at a place says of itself.
///
/// # Errors
/// See [`AskError`].
pub async fn node(net: &Net, network: &Network, place: usize) -> Result<NodeInfo, AskError> {
    match ask(net.clone(), network, place, AskRequest::Node(())).await? {
        AskReply::Node(info) => Ok(info),
        _ => Err(AskError::NoAnswer),
    }
}

/// The receipt of the member at a place for a statement; none if it has promised nothing like it.
///
/// # Errors
/// See [`AskError`].
pub async fn receipt(
    net: &Net,
    network: &Network,
    place: usize,
    statement: &Statement,
) -> Result<Option<bls::Signature>, AskError> {
    match ask(net.clone(), network, place, AskRequest::Receipt(statement.clone())).await? {
        AskReply::Receipt(signature) => Ok(signature),
        _ => Err(AskError::NoAnswer),
    }
}

/// Where nodes listen, as one of them says, who is told where this one does.
///
/// # Errors
/// See [`AskError`].
pub async fn peers(net: &Net, network: &Network, of: &NodeId, query: PeersQuery) -> Result<Peers, AskError> {
    let reach = network.find(of).ok_or(AskError::NoPeer)?;
    let nothing = |_: &AskReply| 0;
    let question = (ask::PROTOCOL, &AskRequest::Peers(query));
    let (reply, _) = exchange(net, reach, question, (nothing, 0)).await?;
    let AskReply::Peers(hints) = reply else { return Err(AskError::NoAnswer) };
    // What cannot be read is of a later version, or nothing.
    let entry = |hint: &PeerHint| PeerEntry {
        node: hint.node,
        peer: hint.peer.as_str().parse().ok(),
        addresses: hint.addresses.iter().filter_map(|address| address.as_str().parse().ok()).collect(),
    };
    Ok(Peers { peer: hints.iter().map(entry).collect() })
}

/// Gives a certificate to the slots that have not signed it, so that they fetch the piece. Who cannot be reached does
/// without.
pub async fn give(net: &Net, network: &Network, certificate: &ValidCertificate) {
    let missing = (0..certificate.profile().n).filter(|slot| !certificate.signers().contains(*slot));
    give_to(net, network, certificate, missing).await;
}

/// Gives a certificate to some of its slots. Who cannot be reached does without.
pub async fn give_to(
    net: &Net,
    network: &Network,
    certificate: &ValidCertificate,
    slots: impl Iterator<Item = u16>,
) {
    let mut tasks = JoinSet::new();
    for place in slots.map(|slot| certificate.slots()[usize::from(slot)]) {
        let (net, network) = (net.clone(), network.clone());
        let request = AskRequest::Keep(certificate.certificate().clone());
        tasks.spawn(async move { (place, ask(net, &network, place, request).await) });
    }
    while let Some(done) = tasks.join_next().await {
        if let (place, Err(error)) = done.expect("asking does not panic") {
            tracing::debug!(place, %error, "a slot did not take the certificate");
        }
    }
}
