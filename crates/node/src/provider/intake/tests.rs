use super::*;
use holdfast_net::frames::split;
use tokio::io::DuplexStream;

/// The writer towards a client that reads nothing, and the client.
fn deaf_client() -> (FrameWriter<DuplexStream>, DuplexStream) {
    let (here, client) = tokio::io::duplex(16);
    (split(here).1, client)
}

fn long_answer() -> PutReply {
    PutReply::Refuse(Refusal::new(Reason::Internal, "more than the client's window holds".to_owned()))
}

/// Such a client kept its place for puts as long as its connection lived.
#[tokio::test]
async fn a_client_that_reads_no_answer_is_lost() {
    let (mut writer, _client) = deaf_client();
    let stop = CancellationToken::new();
    let sent = answer(&mut writer, &long_answer(), Duration::from_millis(10), &stop).await;
    assert_eq!(sent.unwrap_err().kind(), io::ErrorKind::TimedOut);
}

/// A node waited for such a client before it stopped.
#[tokio::test]
async fn a_client_that_reads_no_answer_does_not_hold_up_a_node_that_stops() {
    let (mut writer, _client) = deaf_client();
    let stop = CancellationToken::new();
    let reply = long_answer();
    let sending = answer(&mut writer, &reply, Duration::MAX, &stop);
    let (sent, ()) = tokio::join!(sending, async { stop.cancel() });
    assert_eq!(sent.unwrap_err().kind(), io::ErrorKind::Interrupted);
}

#[tokio::test]
async fn an_answer_that_can_go_out_at_once_does_so_from_a_node_that_stops() {
    let (here, _client) = tokio::io::duplex(1 << 10);
    let stop = CancellationToken::new();
    stop.cancel();
    answer(&mut split(here).1, &long_answer(), TAKE_MAX, &stop).await.unwrap();
}
