//! Peers that lie, break the protocol or send garbage: each gets a refusal, and the node serves on.

use holdfast_client::network::Network;
use holdfast_core::block::{BlockId, Codec};
use holdfast_core::car;
use holdfast_core::id::PieceRoot;
use holdfast_core::tree::TreeHasher;
use holdfast_net::frames::split;
use holdfast_net::link::Link;
use holdfast_net::{Keypair, Net};
use holdfast_proofs::profile::Profile;
use holdfast_proofs::slots::{self, Bucket};
use holdfast_protocol::ask;
use holdfast_protocol::link::Start;
use holdfast_protocol::put::{Offer, PutReply, PutRequest, Reason};

use crate::support::World;

/// A piece of one raw block, its CID and root.
pub(crate) fn piece(content: &[u8]) -> (BlockId, Vec<u8>, PieceRoot) {
    let cid = BlockId::of(Codec::Raw, content);
    let mut bytes = car::header(&cid);
    bytes.extend(car::section_prefix(&cid, content.len()));
    bytes.extend(content);
    let mut hasher = TreeHasher::default();
    hasher.update(&bytes, &mut Vec::new());
    (cid, bytes, hasher.finish(&mut Vec::new()))
}

/// A piece of many raw blocks under one node, its CID and root. What was interrupted goes on behind a whole block.
pub(crate) fn piece_of_blocks(content: &[u8]) -> (BlockId, Vec<u8>, PieceRoot) {
    let leaves: Vec<_> = content.chunks(50_000).map(|data| (BlockId::of(Codec::Raw, data), data)).collect();
    let links: Vec<_> = leaves.iter().map(|(id, _)| *id).collect();
    let node = holdfast_core::codec::encode(&links);
    let cid = BlockId::of(Codec::DagCbor, &node);
    let mut bytes = car::header(&cid);
    for (id, data) in std::iter::once((cid, &node[..])).chain(leaves) {
        bytes.extend(car::section_prefix(&id, data.len()));
        bytes.extend(data);
    }
    let mut hasher = TreeHasher::default();
    hasher.update(&bytes, &mut Vec::new());
    (cid, bytes, hasher.finish(&mut Vec::new()))
}

/// A client that says what it likes.
pub(crate) struct Liar {
    pub(crate) net: Net,
    pub(crate) network: Network,
}

impl Liar {
    /// A client of a network, under a key of its own.
    pub(crate) async fn of(world: &World) -> Self {
        let net = Net::start(Keypair::generate_ed25519(), &[]).await.unwrap();
        Self { net, network: world.network() }
    }

    pub(crate) async fn open(&self, place: usize, start: Start) -> Link {
        let (peer, addresses) = self.network.reach(place).unwrap();
        let mut link = self.net.link(peer, &addresses).await.unwrap();
        link.writer.message(&start).await.unwrap();
        link
    }

    /// Sends an offer and then `data` and a seal to the first slot, and answers the last reply.
    async fn put(&self, offer: &Offer, data: &[u8], root: PieceRoot) -> Option<PutReply> {
        let place = slots::order(Bucket::of(&offer.cid), self.network.committee.members())[0];
        let Link { mut reader, mut writer, .. } = self.open(place, Start::Put(())).await;
        writer.message(&PutRequest::Open(offer.clone())).await.unwrap();
        let reply = reader.message().await.unwrap();
        if reply != Some(PutReply::Accept(0)) {
            return reply;
        }
        // A refusal closes the link while we still write: that is its right.
        for part in data.chunks(1000) {
            if writer.data(part).await.is_err() {
                break;
            }
        }
        let _ = writer.message(&PutRequest::Seal(root)).await;
        reader.message().await.unwrap_or(None)
    }

    pub(crate) fn offer(&self, cid: BlockId, bytes: u64) -> Offer {
        Offer::without_ledger(&self.network.committee, Profile::COPY4, cid, bytes)
    }
}

fn reason(reply: Option<PutReply>) -> Option<Reason> {
    match reply {
        Some(PutReply::Refuse(refusal)) => Some(refusal.reason),
        other => panic!("expected a refusal, got {other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lies_are_refused_and_the_truth_is_accepted_afterwards() {
    let world = World::with_network(4);
    let liar = Liar::of(&world).await;
    let (cid, bytes, root) = piece(&[7; 5000]);
    let length = bytes.len() as u64;

    let mut wrong = bytes.clone();
    wrong[4000] ^= 1;
    assert_eq!(reason(liar.put(&liar.offer(cid, length), &wrong, root).await), Some(Reason::Piece));
    let short = liar.offer(cid, 100);
    assert_eq!(reason(liar.put(&short, &bytes, root).await), Some(Reason::Length));
    let long = liar.offer(cid, length + 1000);
    assert_eq!(reason(liar.put(&long, &bytes, root).await), Some(Reason::Length));
    let cut = liar.put(&liar.offer(cid, length), &bytes[..2000], root).await;
    assert_eq!(reason(cut), Some(Reason::Length));
    let other_root = liar.put(&liar.offer(cid, length), &bytes, PieceRoot::new([1; 32])).await;
    assert_eq!(reason(other_root), Some(Reason::Root));
    let huge = liar.offer(cid, u64::MAX);
    assert_eq!(reason(liar.put(&huge, &bytes, root).await), Some(Reason::Quota));
    let mut later = liar.offer(cid, length);
    later.epoch = holdfast_core::id::Epoch(1);
    assert_eq!(reason(liar.put(&later, &bytes, root).await), Some(Reason::Committee));

    let receipt = liar.put(&liar.offer(cid, length), &bytes, root).await;
    assert!(matches!(receipt, Some(PutReply::Receipt(_))), "{receipt:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn garbage_on_every_protocol_ends_the_conversation_and_nothing_else() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    let world = World::with_network(4);
    let liar = Liar::of(&world).await;
    let (peer, addresses) = liar.network.reach(0).unwrap();
    // Heads of oversized frames, a message that is none, data where none is due.
    let garbage = [&[0xff; 64][..], &[0x7f, 0xff, 0xff, 0xff], &[0, 0, 0, 3, 1, 2, 3], &[0x80, 0, 0, 1, 0]];
    for bytes in garbage {
        for start in [Start::Put(()), Start::Get(())] {
            let mut link = liar.open(0, start).await;
            link.writer.raw().write_all(bytes).await.unwrap();
            link.writer.flush().await.unwrap();
            // The node closes the link, with or without a refusal before.
            link.reader.discard(300).await.unwrap_or(());
        }
        let mut link = liar.net.link(peer, &addresses).await.unwrap();
        link.writer.raw().write_all(bytes).await.unwrap();
        link.writer.flush().await.unwrap();
        link.reader.discard(300).await.unwrap_or(());

        let stream = liar.net.open(peer, &addresses, ask::PROTOCOL).await.unwrap();
        let (mut reader, mut writer) = split(stream);
        writer.raw().write_all(bytes).await.unwrap();
        writer.flush().await.unwrap();
        reader.discard(300).await.unwrap_or(());
    }
    // Not even TLS.
    let address = addresses.iter().find_map(holdfast_net::link::socket).unwrap();
    let mut raw = tokio::net::TcpStream::connect(address).await.unwrap();
    raw.write_all(&[0x55; 1000]).await.unwrap();
    let mut answer = Vec::new();
    let _ = raw.read_to_end(&mut answer).await; // a reset is an answer too
    assert!(answer.len() < 300);
    world.file("file", "kept");
    world.run(["put", "file", "--wait", "all"]).ok();
}
