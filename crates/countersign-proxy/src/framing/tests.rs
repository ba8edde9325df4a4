use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};

use super::*;

#[path = "../../../../fuzz/replay.rs"]
mod replay;

#[test]
fn what_the_fuzzer_kept_is_framed_as_hyper_sees_it() {
    replay::replay("framing", fuzz::framing);
}

const LIMITS: Limits = Limits {
    bytes: 1000,
    fields: 10,
    head_time: Duration::from_millis(50),
    idle_time: Duration::from_millis(300),
    write_time: Duration::from_millis(50),
};

fn pair() -> (DuplexStream, Framing<DuplexStream>) {
    let (client, server) = duplex(256);
    (client, Framing::new(server, LIMITS))
}

#[tokio::test]
async fn what_came_before_a_fault_goes_on_and_nothing_after_it() {
    let (mut client, mut framing) = pair();
    client.write_all(b"GET / HTTP/1.1\r\n\r\nGET / HTTP/1.1\r\nX : y\r\n\r\nGET /evil HTTP/1.1\r\n\r\n").await.unwrap();
    let mut heard = Vec::new();
    framing.read_to_end(&mut heard).await.unwrap();
    assert_eq!(heard, b"GET / HTTP/1.1\r\n\r\nGET / HTTP/1.1\r\nX");
    assert!(matches!(framing.fault_in_head(), Some(Fault::Bad(_))));
}

#[tokio::test]
async fn a_slow_head_is_a_fault_and_silence_is_an_end() {
    let (mut client, mut framing) = pair();
    let mut heard = Vec::new();
    client.write_all(b"GET / HT").await.unwrap();
    framing.read_to_end(&mut heard).await.unwrap();
    assert_eq!(framing.fault_in_head(), Some(Fault::TooSlow));

    let (_client, mut framing) = pair();
    let started = Instant::now();
    framing.read_to_end(&mut heard).await.unwrap();
    assert_eq!(framing.fault_in_head(), None);
    assert!(started.elapsed() < LIMITS.idle_time, "a caller that never speaks is heard no longer than a slow one");
}

#[tokio::test]
async fn a_head_that_dribbles_has_no_more_time_than_one_that_stops() {
    let (mut client, mut framing) = pair();
    let dribble = tokio::spawn(async move {
        for byte in b"GET /dribble HTTP/1.1\r\n" {
            if client.write_all(&[*byte]).await.is_err() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        client
    });
    let started = Instant::now();
    framing.read_to_end(&mut Vec::new()).await.unwrap();
    assert_eq!(framing.fault_in_head(), Some(Fault::TooSlow));
    assert!(started.elapsed() < Duration::from_millis(150));
    dribble.abort();
}

#[tokio::test]
async fn between_messages_there_is_more_time() {
    let (mut client, mut framing) = pair();
    let mut buffer = [0; 64];
    for _ in 0..2 {
        client.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
        assert_eq!(framing.read(&mut buffer).await.unwrap(), 18);
        let waited = tokio::time::timeout(Duration::from_millis(100), framing.read(&mut buffer)).await;
        assert!(waited.is_err());
    }
    assert_eq!(framing.read(&mut buffer).await.unwrap(), 0);
    assert_eq!(framing.fault_in_head(), None);
}

#[tokio::test]
async fn a_body_is_not_timed_here() {
    let (mut client, mut framing) = pair();
    let mut buffer = [0; 256];
    client.write_all(b"POST / HTTP/1.1\r\nContent-Length: 5\r\n\r\nab").await.unwrap();
    assert!(framing.read(&mut buffer).await.unwrap() > 0);
    assert!(tokio::time::timeout(Duration::from_millis(400), framing.read(&mut buffer)).await.is_err());
}

#[tokio::test]
async fn a_caller_that_does_not_take_the_answer_is_cut_off() {
    let (_client, mut framing) = pair();
    let error = framing.write_all(&[0; 1000]).await.unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::TimedOut);
}

#[tokio::test]
async fn the_last_words_arrive_although_the_caller_still_speaks() {
    let (mut client, mut framing) = pair();
    client.write_all(b"BAD\n").await.unwrap();
    framing.read_to_end(&mut Vec::new()).await.unwrap();
    let closing = tokio::spawn(framing.close(b"400"));
    client.write_all(&[b'x'; 2000]).await.unwrap();
    let mut last = Vec::new();
    client.read_to_end(&mut last).await.unwrap();
    assert_eq!(last, b"400");
    drop(client);
    closing.await.unwrap();
}
