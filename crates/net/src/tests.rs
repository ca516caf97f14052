use super::*;
use crate::frames::{Frame, FrameError, split};
use holdfast_core::frame::DATA_BYTES_MAX;
use tokio::io::AsyncWriteExt;

const ECHO: &str = "/holdfast/test-echo/1";

async fn net() -> Net {
    Net::start(Keypair::generate_ed25519(), &["/ip4/127.0.0.1/tcp/0".parse().unwrap()]).await.unwrap()
}

/// Answers every message with itself and every data frame with the same data.
async fn echo(server: Net) {
    let mut incoming = server.accept(ECHO);
    while let Some((_, stream)) = incoming.next().await {
        let (mut reader, mut writer) = split(stream);
        let mut buffer = Vec::new();
        while let Ok(Some(frame)) = reader.read::<Vec<u64>>(&mut buffer).await {
            match frame {
                Frame::Message(message) => writer.message(&message).await.unwrap(),
                Frame::Data => writer.data(&buffer).await.unwrap(),
            }
            writer.flush().await.unwrap();
        }
    }
}

#[tokio::test]
async fn messages_and_data_travel_both_ways() {
    let (server, client) = (net().await, net().await);
    let (peer, addresses) = (server.peer(), server.listening().to_vec());
    let task = tokio::spawn(echo(server));
    let (mut reader, mut writer) = split(client.open(peer, &addresses, ECHO).await.unwrap());
    let mut buffer = Vec::new();
    writer.message(&vec![1_u64, 2, 3]).await.unwrap();
    assert_eq!(reader.message::<Vec<u64>>().await.unwrap(), Some(vec![1, 2, 3]));
    for bytes in [0, 1, DATA_BYTES_MAX] {
        writer.data(&vec![7; bytes]).await.unwrap();
        writer.flush().await.unwrap();
        assert!(matches!(reader.read::<Vec<u64>>(&mut buffer).await.unwrap(), Some(Frame::Data)));
        assert_eq!(buffer.len(), bytes);
    }
    // A second stream uses the connection that is there.
    client.open(peer, &[], ECHO).await.unwrap();
    task.abort();
}

#[tokio::test]
async fn oversized_frames_end_the_stream_before_anything_is_allocated() {
    let (server, client) = (net().await, net().await);
    let mut incoming = server.accept(ECHO);
    let stream = client.open(server.peer(), server.listening(), ECHO).await.unwrap();
    let mut raw = stream;
    raw.write_all(&[0xff; 4]).await.unwrap();
    raw.flush().await.unwrap();
    let (_, stream) = incoming.next().await.unwrap();
    let (mut reader, _writer) = split(stream);
    let result = reader.read::<Vec<u64>>(&mut Vec::new()).await;
    assert!(matches!(result, Err(FrameError::TooLong(_))), "{result:?}");
}

#[tokio::test]
async fn unreachable_and_wrong_peers_are_errors() {
    let (server, client) = (net().await, net().await);
    let stranger = Keypair::generate_ed25519().public().to_peer_id();
    let wrong = client.open(stranger, server.listening(), ECHO).await;
    assert!(matches!(wrong, Err(OpenError::Connect(_))));
    let unknown = client.open(server.peer(), server.listening(), "/holdfast/unknown/1").await;
    assert!(matches!(unknown, Err(OpenError::Stream(_))));
    let nowhere = client.open(stranger, &["/ip4/127.0.0.1/tcp/1".parse().unwrap()], ECHO).await;
    assert!(matches!(nowhere, Err(OpenError::Connect(_))));
}

#[test]
fn the_key_file_is_made_once_and_kept() {
    use std::os::unix::fs::PermissionsExt;
    let path = std::env::temp_dir().join(format!("holdfast-net-key-{}", std::process::id()));
    let key = key::load_or_create(&path).unwrap();
    assert_eq!(key::load_or_create(&path).unwrap().public(), key.public());
    let metadata = std::fs::metadata(&path).unwrap();
    assert_eq!(metadata.permissions().mode() & 0o777, 0o600);
    std::fs::write(&path, b"garbage").unwrap();
    assert!(key::load_or_create(&path).is_err());
    std::fs::remove_file(&path).unwrap();
}
