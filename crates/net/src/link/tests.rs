use super::*;
use crate::frames::Frame;

async fn listen() -> (Listener, PeerId) {
    let key = Keypair::generate_ed25519();
    let peer = key.public().to_peer_id();
    (Listener::start(&key, &"/ip4/127.0.0.1/tcp/0/tls".parse().unwrap()).await.unwrap(), peer)
}

/// Answers every message with the same, link after link.
async fn echo(listener: Listener) {
    while let Ok(incoming) = listener.next().await {
        tokio::spawn(async move {
            let Ok(mut link) = incoming.handshake().await else { return };
            let mut data = Vec::new();
            while let Ok(Some(frame)) = link.reader.read::<u64>(&mut data).await {
                let sent = match frame {
                    Frame::Message(number) => link.writer.message(&number).await,
                    Frame::Data => link.writer.data(&data).await,
                };
                sent.unwrap();
                link.writer.flush().await.unwrap();
            }
        });
    }
}

#[tokio::test]
async fn links_carry_frames_and_are_used_again() {
    let (listener, peer) = listen().await;
    let addresses = [listener.address().clone()];
    let server = tokio::spawn(echo(listener));
    let links = Links::new(Keypair::generate_ed25519());
    let mut socket = None;
    for round in 0..3 {
        let mut link = links.open(peer, &addresses).await.unwrap();
        assert_eq!(link.peer(), peer);
        link.writer.message(&round).await.unwrap();
        assert_eq!(link.reader.message::<u64>().await.unwrap(), Some(round));
        let data = vec![7; 1 << 20];
        let mut back = Vec::new();
        let (sent, read) = tokio::join!(
            async {
                link.writer.data(&data).await?;
                link.writer.flush().await
            },
            link.reader.read::<u64>(&mut back)
        );
        sent.unwrap();
        assert!(matches!(read, Ok(Some(Frame::Data))) && back == data);
        let port = link.probe.local_addr().unwrap();
        assert_eq!(*socket.get_or_insert(port), port, "the same connection");
        links.keep(link);
    }
    server.abort();
}

#[tokio::test]
async fn a_link_that_the_provider_closed_is_not_used_again() {
    let (listener, peer) = listen().await;
    let addresses = [listener.address().clone()];
    let links = Links::new(Keypair::generate_ed25519());
    let (link, served) = tokio::join!(links.open(peer, &addresses), async {
        listener.next().await.unwrap().handshake().await.unwrap()
    });
    let link = link.unwrap();
    assert!(link.is_idle());
    let probe = link.probe.try_clone().unwrap();
    links.keep(link);
    drop(served);
    // The end of the connection arrives when it arrives; then the pool has no link to give.
    while matches!(probe.peek(&mut [0]), Err(error) if error.kind() == io::ErrorKind::WouldBlock) {
        tokio::task::yield_now().await;
    }
    assert!(links.take_idle(&peer).is_none());
}

#[tokio::test]
async fn another_peer_at_the_address_is_refused() {
    let (listener, _) = listen().await;
    let addresses = [listener.address().clone()];
    let server = tokio::spawn(echo(listener));
    let stranger = Keypair::generate_ed25519().public().to_peer_id();
    let refused = Links::new(Keypair::generate_ed25519()).open(stranger, &addresses).await;
    assert!(matches!(refused, Err(OpenError::Connect(_))));
    server.abort();
}

/// The one address took the whole window that the caller had for the peer.
#[tokio::test]
async fn an_address_that_never_answers_does_not_hide_the_next() {
    let (listener, peer) = listen().await;
    // The system takes the connection; nobody ever does the handshake.
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = silent.local_addr().unwrap().port();
    let silent_address = format!("/ip4/127.0.0.1/tcp/{port}/tls").parse().unwrap();
    let addresses = [silent_address, listener.address().clone()];
    let server = tokio::spawn(echo(listener));
    let links = Links::new(Keypair::generate_ed25519());
    let opened = tokio::time::timeout(DIAL_WINDOW - DIAL_STAGGER, links.open(peer, &addresses)).await;
    assert!(opened.expect("the second is dialed in time").is_ok());
    server.abort();
}

#[tokio::test]
async fn an_address_that_refuses_is_followed_by_the_next_at_once() {
    let (listener, peer) = listen().await;
    let refusing = "/ip4/127.0.0.1/tcp/1/tls".parse().unwrap();
    let addresses = [refusing, listener.address().clone()];
    let server = tokio::spawn(echo(listener));
    let links = Links::new(Keypair::generate_ed25519());
    let opened = tokio::time::timeout(DIAL_STAGGER, links.open(peer, &addresses)).await;
    assert!(opened.expect("no stagger").is_ok());
    let none = links.open(peer, &addresses[..1]).await;
    assert!(matches!(none, Err(OpenError::Connect(_))));
    server.abort();
}

#[tokio::test]
async fn garbage_instead_of_a_handshake_is_refused() {
    let (listener, _) = listen().await;
    let address = super::socket(listener.address()).unwrap();
    let mut stream = TcpStream::connect(address).await.unwrap();
    tokio::io::AsyncWriteExt::write_all(&mut stream, &[0x55; 100]).await.unwrap();
    assert!(listener.next().await.unwrap().handshake().await.is_err());
}

#[test]
fn only_tls_addresses_are_for_links() {
    for (address, expected) in [
        ("/ip4/127.0.0.1/tcp/4001/tls", true),
        ("/ip6/::1/tcp/4001/tls", true),
        ("/ip4/127.0.0.1/tcp/4001", false),
        ("/ip4/127.0.0.1/udp/4001/tls", false),
        ("/dns4/example.org/tcp/4001/tls", false),
        ("/ip4/127.0.0.1/tcp/4001/tls/ws", false),
    ] {
        assert_eq!(is_for_links(&address.parse().unwrap()), expected, "{address}");
    }
}
