use super::*;
use holdfast_core::block::Codec;
use holdfast_core::codec::{self, Text};
use holdfast_net::Keypair;
use holdfast_net::link::{Link, Listener};
use holdfast_proofs::profile::Profile;
use holdfast_proofs::testing::{self, TestNetwork};
use holdfast_protocol::link::Start;
use tokio::sync::oneshot;

use crate::network::{PeerEntry, Peers};

/// A client in a network of four, some of which listen; what these do is the test's.
struct World {
    net: Net,
    network: Network,
    listeners: Vec<Listener>,
}

impl World {
    async fn new(listening: u8) -> Self {
        let (mut members, mut listeners, mut peers) = (Vec::new(), Vec::new(), Peers::default());
        for number in 1..=4 {
            let mut member = testing::member(number);
            if number <= listening {
                let key = Keypair::generate_ed25519();
                let any = "/ip4/127.0.0.1/tcp/0/tls".parse().unwrap();
                let listener = Listener::start(&key, &any).await.unwrap();
                member.peer = Text::new(key.public().to_peer_id().to_string()).unwrap();
                peers.peer.push(PeerEntry {
                    node: member.node,
                    peer: None,
                    addresses: vec![listener.address().clone()],
                });
                listeners.push(listener);
            }
            members.push(member);
        }
        let secret = TestNetwork::of(members, Profile::COPY4);
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("genesis"), secret.genesis.to_bytes()).unwrap();
        std::fs::write(folder.path().join("genesis.proofs"), codec::encode(&secret.proofs)).unwrap();
        peers.save(folder.path()).unwrap();
        let network = Network::load(folder.path()).unwrap();
        let net = Net::start(Keypair::generate_ed25519(), &[]).await.unwrap();
        Self { net, network, listeners }
    }

    fn source(&self) -> Source<'_, impl FnMut(u64) + use<>> {
        Source::start(&self.net, &self.network, block(0).0, |_| ())
    }
}

fn block(number: u16) -> (BlockId, Vec<u8>) {
    let data = number.to_be_bytes().repeat(50);
    (BlockId::of(Codec::Raw, &data), data)
}

fn data(id: BlockId) -> Vec<u8> {
    (0..).map(block).find(|(own, _)| *own == id).unwrap().1
}

/// A client's link, once the client has asked for something on it, and what.
async fn asked(listener: &Listener) -> (Link, Vec<BlockId>) {
    let mut link = listener.next().await.unwrap().handshake().await.unwrap();
    assert_eq!(link.reader.message().await.unwrap(), Some(Start::Get(())));
    let want: Want = link.reader.message().await.unwrap().unwrap();
    (link, want.blocks.to_vec())
}

async fn send(link: &mut Link, data: &[u8]) {
    link.writer.data(data).await.unwrap();
    link.writer.flush().await.unwrap();
}

/// Answers what was asked and what will be, until the client closes the link.
async fn serve((mut link, mut blocks): (Link, Vec<BlockId>)) {
    loop {
        for id in blocks {
            send(&mut link, &data(id)).await;
        }
        let Ok(Some(Want { blocks: next })) = link.reader.message().await else { return };
        blocks = next.to_vec();
    }
}

async fn no_answer_after(ending: impl AsyncFnOnce(Link)) -> String {
    let world = World::new(1).await;
    let mut source = world.source();
    let id = block(0).0;
    source.demand([id].into_iter());
    let dies = async { ending(asked(&world.listeners[0]).await.0).await };
    let (got, ()) = tokio::join!(source.block(id), dies);
    match got {
        Err(GetError::Unreachable { last, .. }) => last,
        other => panic!("nobody has it: {other:?}"),
    }
}

#[tokio::test]
async fn a_provider_that_dies_in_the_middle_of_a_get_is_passed_over_at_once() {
    let last = no_answer_after(async |link| drop(link)).await;
    assert!(last.starts_with("broke the link"), "{last}");
    let last = no_answer_after(async |mut link| link.writer.close().await.unwrap()).await;
    assert_eq!(last, "closed the link");
}

#[tokio::test]
async fn the_link_of_a_provider_that_was_dropped_is_closed() {
    let world = World::new(2).await;
    let mut source = world.source();
    let id = block(0).0;
    source.demand([id].into_iter());
    let (was_asked, liar_was_asked) = oneshot::channel();
    let (was_closed, liar_was_closed) = oneshot::channel();
    let lies = async {
        let (mut link, _) = asked(&world.listeners[0]).await;
        was_asked.send(()).unwrap();
        send(&mut link, b"a lie").await;
        assert!(!matches!(link.reader.message::<Want>().await, Ok(Some(_))), "nothing more is asked");
        was_closed.send(()).unwrap();
    };
    let serves = async {
        // The block comes only when the liar has seen its link end, while the get goes on.
        liar_was_asked.await.unwrap();
        let honest = asked(&world.listeners[1]).await;
        liar_was_closed.await.unwrap();
        serve(honest).await;
    };
    let gets = async {
        assert_eq!(source.block(id).await.unwrap(), data(id));
        drop(source);
    };
    tokio::join!(lies, serves, gets);
}

#[tokio::test]
async fn providers_that_close_idle_links_while_the_reader_pauses_are_dialed_again() {
    let world = World::new(1).await;
    let mut source = world.source();
    let (was_closed, pause) = oneshot::channel();
    let provides = async {
        let (mut link, blocks) = asked(&world.listeners[0]).await;
        for id in blocks {
            send(&mut link, &data(id)).await;
        }
        link.writer.close().await.unwrap();
        was_closed.send(()).unwrap();
        serve(asked(&world.listeners[0]).await).await;
    };
    let gets = async {
        let [first, second] = [block(0).0, block(1).0];
        source.demand([first].into_iter());
        assert_eq!(source.block(first).await.unwrap(), data(first));
        pause.await.unwrap();
        source.demand([second].into_iter());
        assert_eq!(source.block(second).await.unwrap(), data(second));
        drop(source);
    };
    tokio::join!(provides, gets);
}

#[tokio::test]
async fn time_in_which_nobody_waits_for_a_block_counts_against_no_provider() {
    let world = World::new(1).await;
    let mut source = world.source();
    let (is_over, pause) = oneshot::channel();
    let provides = async {
        let (mut link, blocks) = asked(&world.listeners[0]).await;
        send(&mut link, &data(blocks[0])).await;
        pause.await.unwrap();
        serve((link, blocks[1..].to_vec())).await;
    };
    let gets = async {
        let [first, second] = [block(0).0, block(1).0];
        source.demand([first, second].into_iter());
        assert_eq!(source.block(first).await.unwrap(), data(first));
        tokio::time::pause();
        tokio::time::advance(Duration::from_secs(300)).await;
        tokio::select! {
            biased;
            early = source.block(second) => panic!("nobody was to answer yet: {early:?}"),
            () = tokio::time::sleep(Duration::from_secs(1)) => {}
        }
        tokio::time::resume();
        is_over.send(()).unwrap();
        assert_eq!(source.block(second).await.unwrap(), data(second));
        drop(source);
    };
    tokio::join!(provides, gets);
}

#[tokio::test]
async fn a_provider_that_answers_and_takes_no_requests_is_dropped() {
    let world = World::new(0).await;
    let mut source = world.source();
    let (orders, mut mailbox) = mpsc::channel(1);
    let up = Event { provider: 0, what: ProviderEvent::Up(orders) };
    let up = source.translate(up);
    source.step(up);
    source.demand([block(0).0].into_iter());
    source.demand([block(1).0].into_iter());
    assert_eq!(source.last_failure.as_deref(), Some("takes no requests"));
    assert_eq!(mailbox.recv().await.unwrap().blocks.to_vec(), [block(0).0]);
    assert!(mailbox.recv().await.is_none(), "its link is closed");
}

#[tokio::test]
async fn a_deep_dag_that_puts_blocks_off_at_every_level_fills_no_memory() {
    const LEVELS: u16 = 60;
    const LEAVES: u16 = 7;
    let world = World::new(1).await;
    let mut source = world.source();
    let gets = async {
        // As a file is read: the links of a node come before what was wanted so far.
        let mut wanted = vec![0];
        let mut most = 0;
        while let Some(next) = wanted.last().copied() {
            source.demand(wanted.iter().rev().map(|number| block(*number).0));
            let (id, data) = block(next);
            assert_eq!(source.block(id).await.unwrap(), data);
            wanted.pop();
            if next % (LEAVES + 1) == 0 && next < LEVELS * (LEAVES + 1) {
                let links = [next + LEAVES + 1].into_iter().chain(next + 1..=next + LEAVES);
                wanted.extend(links.rev());
            }
            most = most.max(source.ready.len() + source.fetch.demanded().len());
        }
        assert_eq!(source.fetched().blocks, u64::from(LEVELS * (LEAVES + 1) + 1), "each once");
        assert!(most <= source.window(), "{most} blocks at once");
        drop(source);
    };
    let serves = async { serve(asked(&world.listeners[0]).await).await };
    tokio::join!(serves, gets);
}
