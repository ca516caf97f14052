//! Providers that sign for whatever they are sent, and keep nothing but its root.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use holdfast_core::block::BlockId;
use holdfast_core::codec::Bounded;
use holdfast_core::id::{NetworkId, PieceRoot};
use holdfast_core::purpose::Signable;
use holdfast_net::Net;
use holdfast_net::frames::{Frame, split};
use holdfast_net::link::{Link, Listener};
use holdfast_proofs::testing;
use holdfast_protocol::ask::{self, AskReply, AskRequest, NodeInfo, PieceInfo};
use holdfast_protocol::link::Start;
use holdfast_protocol::put::{PutReply, PutRequest};

/// Roots and lengths of the pieces that were sealed, whoever was sent them.
pub(super) type Held = Arc<Mutex<BTreeMap<BlockId, (PieceRoot, u64)>>>;

/// Takes every put of one member.
pub(super) async fn serve(number: u8, network: NetworkId, held: Held, listener: Listener) {
    while let Ok(incoming) = listener.next().await {
        let held = held.clone();
        tokio::spawn(async move {
            let Ok(mut link) = incoming.handshake().await else { return };
            while let Ok(Some(Start::Put(()))) = link.reader.message::<Start>().await {
                if put(number, &network, &held, &mut link).await.is_none() {
                    return;
                }
            }
        });
    }
}

/// One put, to its regular end; none if it has another.
async fn put(number: u8, network: &NetworkId, held: &Held, link: &mut Link) -> Option<()> {
    let Ok(Some(PutRequest::Open(offer))) = link.reader.message().await else { return None };
    let there = held.lock().unwrap().get(&offer.cid).is_some();
    let accept = PutReply::Accept(if there { offer.piece_bytes } else { 0 });
    link.writer.message(&accept).await.ok()?;
    let mut data = Vec::new();
    loop {
        match link.reader.read::<PutRequest>(&mut data).await.ok()?? {
            Frame::Data => {}
            Frame::Message(PutRequest::Seal(root)) => {
                held.lock().unwrap().insert(offer.cid, (root, offer.piece_bytes));
                let input = offer.statement(root).signing_input(network);
                let receipt = testing::keys(number).1.sign(&input);
                link.writer.message(&PutReply::Receipt(receipt)).await.ok()?;
            }
            Frame::Message(PutRequest::Keep(_)) => return Some(()),
            Frame::Message(PutRequest::Open(_)) => return None,
        }
    }
}

/// Answers single questions to one member.
pub(super) async fn answer(number: u8, held: Held, net: Net) {
    let mut incoming = net.accept(ask::PROTOCOL);
    while let Some((_, stream)) = incoming.next().await {
        let held = held.clone();
        tokio::spawn(async move {
            let (mut reader, mut writer) = split(stream);
            let Ok(Some(request)) = reader.message().await else { return };
            let reply = match request {
                AskRequest::Peers(_) => AskReply::Peers(Bounded::default()),
                AskRequest::Piece(cid) => {
                    let info = |&(root, bytes): &(PieceRoot, u64)| PieceInfo {
                        root,
                        bytes,
                        blocks: 1,
                        certificate: None,
                    };
                    AskReply::Piece(held.lock().unwrap().get(&cid).map(info))
                }
                AskRequest::Node(()) => {
                    let pieces = held.lock().unwrap().len() as u64;
                    let node = testing::member(number).node;
                    AskReply::Node(NodeInfo { node, pieces, bytes: 0, quota: 1 << 30 })
                }
                AskRequest::Keep(_) => AskReply::Kept(true),
                AskRequest::Receipt(_) => AskReply::Receipt(None),
            };
            let _ = async {
                writer.message(&reply).await?;
                writer.close().await
            }
            .await; // whoever asked may have gone
        });
    }
}
