//! A new promise about a piece that its slots hold already: no data moves.
//!
//! It is a put ([`holdfast_protocol::put`]) in which the client knows the piece root and has no bytes: a slot that answers the
//! offer with the piece's whole length is told the root at once, and signs. One that lacks the piece is passed over.

use std::time::Duration;

use holdfast_core::bls::{self, BlsError};
use holdfast_core::id::PieceRoot;
use holdfast_core::purpose::Signable;
use holdfast_net::frames::FrameError;
use holdfast_net::{Net, OpenError};
use holdfast_proofs::certificate::{CertificateError, ValidCertificate, slots_of};
use holdfast_proofs::statement::{Statement, StatementError};
use holdfast_protocol::link::Start;
use holdfast_protocol::put::{Offer, PutReply, PutRequest, Refusal};
use tokio::task::JoinSet;

use crate::ask;
use crate::network::Network;

/// A slot that holds the piece answers after two syncs of its disk, at most.
const SLOT_WINDOW: Duration = Duration::from_secs(30);

/// Why there is no new promise.
#[derive(Debug, thiserror::Error)]
pub enum PromiseError {
    /// The running committee can promise no such thing.
    #[error(transparent)]
    Statement(#[from] StatementError),
    /// Fewer slots signed than certify.
    #[error("{signed} of {needed} needed slots promised it: {why}")]
    TooFew {
        /// Slots that signed.
        signed: usize,
        /// The quorum.
        needed: u16,
        /// What the others said.
        why: String,
    },
    /// The sum of the receipts.
    #[error(transparent)]
    Certificate(#[from] CertificateError),
}

/// Why a slot did not promise.
#[derive(Debug, thiserror::Error)]
pub enum SlotError {
    /// Its entry names no peer that can be reached.
    #[error("has no valid peer id")]
    NoPeer,
    /// No link.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The link broke.
    #[error(transparent)]
    Frame(#[from] FrameError),
    /// It said no.
    #[error("refused: {}", .0.detail)]
    Refused(Refusal),
    /// It does not hold the piece.
    #[error("does not hold the piece")]
    Lacks,
    /// Its signature.
    #[error("its receipt is invalid")]
    Receipt(#[from] BlsError),
    /// It said something else, or nothing.
    #[error("gave no proper answer in time")]
    NoAnswer,
}

/// Asks the slots of a piece for a promise, and gives all of them the certificate that comes of it.
///
/// # Errors
/// See [`PromiseError`].
pub async fn promise(
    net: &Net,
    network: &Network,
    offer: &Offer,
    root: PieceRoot,
) -> Result<ValidCertificate, PromiseError> {
    let statement = offer.statement(root);
    let profile = statement.validate(&network.committee)?;
    let mut asking = JoinSet::new();
    for (slot, place) in (0..).zip(slots_of(&statement, profile, &network.committee)) {
        let (net, network) = (net.clone(), network.clone());
        let (offer, statement) = (offer.clone(), statement.clone());
        asking.spawn(async move {
            let answer = receipt(&net, &network, place, offer, &statement);
            let answer = tokio::time::timeout(SLOT_WINDOW, answer).await;
            (slot, place, answer.unwrap_or(Err(SlotError::NoAnswer)))
        });
    }
    let (mut receipts, mut failed) = (Vec::new(), Vec::new());
    let mut answers: Vec<(u16, usize, _)> = asking.join_all().await;
    answers.sort_by_key(|(slot, ..)| *slot);
    for (slot, place, answer) in answers {
        match answer {
            Ok(signature) => receipts.push((slot, signature)),
            Err(error) => {
                let member = &network.committee.members()[place];
                failed.push(format!("node {} of {} {error}", member.node.short(), member.operator));
            }
        }
    }
    if receipts.len() < usize::from(profile.q) {
        let (signed, needed, why) = (receipts.len(), profile.q, failed.join("; "));
        return Err(PromiseError::TooFew { signed, needed, why });
    }
    let certificate = ValidCertificate::from_receipts(statement, &receipts, &network.committee)?;
    ask::give_to(net, network, &certificate, 0..profile.n).await;
    Ok(certificate)
}

/// One slot's receipt.
async fn receipt(
    net: &Net,
    network: &Network,
    place: usize,
    offer: Offer,
    statement: &Statement,
) -> Result<bls::Signature, SlotError> {
    let (peer, addresses) = network.reach(place).ok_or(SlotError::NoPeer)?;
    let mut link = net.link(peer, &addresses).await?;
    link.writer.queue(&Start::Put(())).await.map_err(FrameError::from)?;
    link.writer.message(&PutRequest::Open(offer)).await.map_err(FrameError::from)?;
    match link.reader.message::<PutReply>().await? {
        Some(PutReply::Accept(from)) if from == statement.piece_bytes => {}
        Some(PutReply::Accept(_)) => return Err(SlotError::Lacks),
        Some(PutReply::Refuse(refusal)) => return Err(SlotError::Refused(refusal)),
        _ => return Err(SlotError::NoAnswer),
    }
    link.writer.message(&PutRequest::Seal(statement.piece_root)).await.map_err(FrameError::from)?;
    match link.reader.message::<PutReply>().await? {
        Some(PutReply::Receipt(signature)) => {
            let input = statement.signing_input(network.committee.network());
            network.committee.key(place).verify(&input, &signature)?;
            Ok(signature)
        }
        Some(PutReply::Refuse(refusal)) => Err(SlotError::Refused(refusal)),
        _ => Err(SlotError::NoAnswer),
    }
}
