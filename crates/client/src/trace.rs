//! Follows the way of a fetch, to find out where it is broken.
//!
//! 1. **place**: the CID falls into a bucket, and the bucket orders the members.
//! 2. **dial**: every slot is connected to, by itself.
//! 3. **hold**: every slot that is connected says what it holds.
//! 4. **root block**: holders are asked in turn for the root block, until one sends it.
//!
//! Nothing is decided here; [`Trace`] only says what was found.

use std::time::Duration;

use holdfast_core::block::BlockId;
use holdfast_core::codec::Bounded;
use holdfast_net::Net;
use holdfast_net::frames::{Frame, FrameError};
use holdfast_net::link::DIAL_WINDOW;
use holdfast_proofs::certificate::{Certificate, CertificateError};
use holdfast_proofs::profile::Profile;
use holdfast_proofs::slots::{self, Bucket};
use holdfast_protocol::ask::{self as ask_protocol, PieceInfo};
use holdfast_protocol::get::{GetReply, Want};
use holdfast_protocol::link::Start;
use tokio::task::JoinSet;

use crate::ask::{self, AskError};
use crate::committees::Committees;
use crate::network::Network;

/// Who does not send the root block by then is passed over: at most 2 MiB.
const BLOCK_WINDOW: Duration = Duration::from_secs(20);

/// What was found on the way.
#[derive(Debug)]
pub struct Trace {
    /// Where the CID falls.
    pub bucket: Bucket,
    /// The members in the bucket's order: as many as the widest profile has slots.
    pub slots: Vec<Slot>,
    /// Who was asked for the root block, by number of slot, and what it sent; only the last can be good.
    pub root_block: Vec<(usize, Result<u64, BlockError>)>,
}

/// One slot, and how far it was followed.
#[derive(Debug)]
pub struct Slot {
    /// Place of its owner in the committee.
    pub place: usize,
    /// Why it could not be connected to.
    pub dial: Result<(), AskError>,
    /// What it says that it holds; an error also if it was not connected to or did not answer.
    pub hold: Result<Option<Held>, AskError>,
}

/// What a slot says that it holds.
#[derive(Debug)]
pub struct Held {
    /// Its own words.
    pub info: PieceInfo,
    /// The certificate that it shows, checked against the committee of its epoch: its profile and the number of its signers.
    /// `None` if it shows none.
    pub certificate: Option<Result<(Profile, u16), CertificateFault>>,
}

/// What is wrong with a certificate that a slot shows.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CertificateFault {
    /// It does not verify.
    #[error(transparent)]
    Invalid(#[from] CertificateError),
    /// It is valid and about something else than what the slot holds.
    #[error("it is about another piece")]
    OtherPiece,
}

/// Why a holder did not send the root block.
#[derive(Debug, thiserror::Error)]
pub enum BlockError {
    /// It could not be asked, or did not answer.
    #[error(transparent)]
    Ask(#[from] AskError),
    /// It says that it does not have the block.
    #[error("holds the piece and does not have its root block")]
    Missing,
    /// It sent other bytes.
    #[error("sent {bytes} bytes that are not the block")]
    Wrong {
        /// How many.
        bytes: usize,
    },
}

/// Follows the way of a fetch of `cid`.
///
/// Takes up to 10 seconds for slots that do not answer, and 20 for each holder that does not send the root block.
pub async fn trace(net: &Net, committees: &mut Committees, cid: BlockId) -> Trace {
    let network = committees.network().clone();
    let committee = &network.committee;
    let bucket = Bucket::of(&cid);
    let mut places = slots::order(bucket, committee.members());
    places.truncate(committee.slots_max());
    let mut asking = JoinSet::new();
    for (number, place) in places.into_iter().enumerate() {
        let (net, network) = (net.clone(), network.clone());
        asking.spawn(async move { (number, follow(&net, &network, place, cid).await) });
    }
    let mut found = asking.join_all().await;
    found.sort_by_key(|(number, _)| *number);
    let mut slots = Vec::new();
    for (_, Found { place, dial, hold }) in found {
        let hold = match hold {
            Ok(Some(info)) => Ok(Some(held(info, committees, cid).await)),
            Ok(None) => Ok(None),
            Err(error) => Err(error),
        };
        slots.push(Slot { place, dial, hold });
    }

    let mut root_block = Vec::new();
    let holders = slots.iter().enumerate().filter(|(_, slot)| matches!(slot.hold, Ok(Some(_))));
    for (number, holder) in holders {
        let sent = block(net, &network, holder.place, cid).await;
        let good = sent.is_ok();
        root_block.push((number, sent));
        if good {
            break;
        }
    }
    Trace { bucket, slots, root_block }
}

/// What one slot's owner said.
struct Found {
    place: usize,
    dial: Result<(), AskError>,
    hold: Result<Option<PieceInfo>, AskError>,
}

async fn follow(net: &Net, network: &Network, place: usize, cid: BlockId) -> Found {
    if let Err(error) = dial(net, network, place).await {
        return Found { place, dial: Err(error), hold: Err(AskError::NoAnswer) };
    }
    Found { place, dial: Ok(()), hold: ask::piece(net, network, place, cid).await }
}

async fn dial(net: &Net, network: &Network, place: usize) -> Result<(), AskError> {
    let (peer, addresses) = network.reach(place).ok_or(AskError::NoPeer)?;
    let open = net.open(peer, &addresses, ask_protocol::PROTOCOL);
    tokio::time::timeout(DIAL_WINDOW, open).await.map_err(|_| AskError::Late)??;
    Ok(())
}

async fn held(info: PieceInfo, committees: &mut Committees, cid: BlockId) -> Held {
    let certificate = match info.certificate.clone() {
        Some(certificate) => Some(judge(&info, certificate, committees, cid).await),
        None => None,
    };
    Held { info, certificate }
}

async fn judge(
    info: &PieceInfo,
    certificate: Certificate,
    committees: &mut Committees,
    cid: BlockId,
) -> Result<(Profile, u16), CertificateFault> {
    let valid = committees.verify(certificate).await?;
    let said = valid.statement();
    if (said.cid, said.piece_root, said.piece_bytes) != (cid, info.root, info.bytes) {
        return Err(CertificateFault::OtherPiece);
    }
    Ok((valid.profile(), valid.signers().count()))
}

/// Asks one member for one block, and checks it. Answers its length.
async fn block(net: &Net, network: &Network, place: usize, cid: BlockId) -> Result<u64, BlockError> {
    let exchange = async {
        let (peer, addresses) = network.reach(place).ok_or(AskError::NoPeer)?;
        let mut link = net.link(peer, &addresses).await.map_err(AskError::from)?;
        let want = Want { blocks: Bounded::new(vec![cid]).expect("one block is not too many") };
        let asked = async {
            link.writer.queue(&Start::Get(())).await?;
            link.writer.message(&want).await
        };
        asked.await.map_err(FrameError::from).map_err(AskError::from)?;
        let mut data = Vec::new();
        match link.reader.read::<GetReply>(&mut data).await.map_err(AskError::from)? {
            Some(Frame::Data) if cid.matches(&data) => Ok(data.len() as u64),
            Some(Frame::Data) => Err(BlockError::Wrong { bytes: data.len() }),
            Some(Frame::Message(GetReply::Missing(_))) => Err(BlockError::Missing),
            None => Err(AskError::NoAnswer.into()),
        }
    };
    tokio::time::timeout(BLOCK_WINDOW, exchange).await.map_err(|_| AskError::Late)?
}
