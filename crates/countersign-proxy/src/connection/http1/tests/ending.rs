//! When nobody is to be heard any more.

use super::*;

#[tokio::test]
async fn a_connection_that_is_to_stop_ends_when_nothing_is_at_hand() {
    let (mut client, stop) = serve();
    client.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
    next(&mut client).await;
    client.write_all(b"GET /half ").await.unwrap();
    tokio::task::yield_now().await;
    stop.send_replace(true);
    tokio::task::yield_now().await;
    client.write_all(b"HTTP/1.1\r\n\r\n").await.unwrap();
    let mut last = String::new();
    client.read_to_string(&mut last).await.unwrap();
    assert!(last.contains("connection: close") && last.ends_with("GET /half"), "{last}");
    let (mut client, stop) = serve();
    client.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
    next(&mut client).await;
    stop.send_replace(true);
    assert_eq!(timeout(Duration::from_millis(200), client.read(&mut [0])).await.unwrap().unwrap(), 0);
}

/// As [`Echo`], with all the time for a head that there is.
#[derive(Clone)]
struct Patient;

impl Front for Patient {
    fn limits(&self) -> Limits {
        Limits { head_time: Duration::from_secs(3600), ..limits() }
    }

    fn connections(&self, _: i64) {}

    async fn answer(self, peer: Option<IpAddr>, opening: Opening) -> Response<Reply> {
        Echo.answer(peer, opening).await
    }

    fn refuse(&self, fault: Fault) -> String {
        fault.answer("")
    }
}

#[tokio::test]
async fn a_head_that_dribbles_holds_up_no_end() {
    for before in ["", "GET /before HTTP/1.1\r\n\r\n"] {
        let (mut client, server) = duplex(256);
        let (stop, stopping) = watch::channel(false);
        let serving = tokio::spawn(connection::serve(server, None, Patient, stopping));
        client.write_all(before.as_bytes()).await.unwrap();
        if !before.is_empty() {
            assert!(next(&mut client).await.ends_with("GET /before"));
        }
        client.write_all(b"GET / HTTP/1.1\r\n").await.unwrap();
        let (mut reading, mut writing) = tokio::io::split(client);
        let dribble = tokio::spawn(async move {
            while writing.write_all(b"X: y\r\n").await.is_ok() {
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        });
        assert!(timeout(Duration::from_millis(100), reading.read_u8()).await.is_err());
        stop.send_replace(true);
        let mut last = String::new();
        let heard = timeout(Duration::from_secs(10), reading.read_to_string(&mut last)).await;
        heard.expect("it is heard on").unwrap();
        assert!(last.starts_with("HTTP/1.1 408 "), "{last}");
        dribble.abort();
        timeout(Duration::from_secs(10), serving).await.unwrap().unwrap();
    }
}

/// Of tokio a task may do 128 things at a turn; then it is told to wait, whatever is there.
#[tokio::test]
async fn requests_that_use_up_a_turn_leave_no_connection_that_nothing_ends() {
    for count in 20..150 {
        let (client, server) = duplex(1 << 20);
        let (stop, stopping) = watch::channel(false);
        tokio::spawn(connection::serve(server, None, Echo, stopping));
        let (mut reading, mut writing) = tokio::io::split(client);
        writing.write_all("GET / HTTP/1.1\r\n\r\n".repeat(count).as_bytes()).await.unwrap();
        let (mut heard, mut part) = (String::new(), [0; 4096]);
        while heard.matches("GET /").count() < count {
            let read = timeout(Duration::from_secs(10), reading.read(&mut part)).await.unwrap().unwrap();
            heard.push_str(std::str::from_utf8(&part[..read]).unwrap());
        }
        tokio::task::yield_now().await;
        stop.send_replace(true);
        let end = timeout(limits().idle_time / 2, reading.read(&mut part)).await;
        assert_eq!(end.unwrap_or(Ok(usize::MAX)).unwrap(), 0, "it goes on behind {count} requests");
    }
}

#[tokio::test]
async fn a_stop_that_was_taken_back_does_not_hide_the_next() {
    let (mut client, stop) = serve();
    client.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
    next(&mut client).await;
    tokio::task::yield_now().await;
    stop.send_replace(true);
    stop.send_replace(false);
    tokio::task::yield_now().await;
    client.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
    next(&mut client).await;
    stop.send_replace(true);
    assert_eq!(timeout(limits().idle_time / 2, client.read(&mut [0])).await.expect("it goes on").unwrap(), 0);
}

#[tokio::test]
async fn requests_that_use_up_a_turn_leave_no_connection_that_is_silent_for_ever() {
    let ends = (100..140).map(|count| {
        tokio::spawn(async move {
            let (mut client, server) = duplex(1 << 20);
            let (_stop, stopping) = watch::channel(false);
            tokio::spawn(connection::serve(server, None, Echo, stopping));
            client.write_all("GET / HTTP/1.1\r\n\r\n".repeat(count).as_bytes()).await.unwrap();
            let mut heard = Vec::new();
            let end = timeout(limits().idle_time * 10, client.read_to_end(&mut heard)).await;
            assert!(end.is_ok(), "it goes on behind {count} requests");
        })
    });
    for end in ends.collect::<Vec<_>>() {
        end.await.unwrap();
    }
}
