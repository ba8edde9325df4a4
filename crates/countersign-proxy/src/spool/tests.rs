use std::future::poll_fn;

use super::*;

fn limits(own: u64, memory: u64, files: u64) -> Limits {
    Limits { body_in_memory: own, max_held: memory, max_spooled: files, ..Limits::default() }
}

async fn read(held: Held) -> Vec<u8> {
    match held {
        Held::Memory(bytes, _) => bytes.to_vec(),
        Held::File(mut file) => {
            let mut all = Vec::new();
            while let Some(part) = poll_fn(|cx| file.poll_part(cx)).await {
                all.extend_from_slice(&part.unwrap());
            }
            assert_eq!(file.left(), 0);
            assert!(file.course().has_ended(), "nobody knows that all of it is on its way");
            all
        }
        Held::Passing(_) => panic!("nobody passes here"),
    }
}

/// What a closed file gave back is back once its thread has closed it.
async fn emptied(room: &Room) {
    for _ in 0..1000 {
        if (room.held(), room.spooled()) == (0, 0) {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(2)).await;
    }
    panic!("{} bytes are still held, {} spooled", room.held(), room.spooled());
}

#[tokio::test]
async fn keeps_what_came_and_gives_its_room_back() {
    let room = Arc::new(Room::default());
    let mut spool = Spool::new(&room, &limits(0, 10, 0), true);
    for chunk in ["ab", "", "cd", "e"] {
        spool.write(Bytes::from_static(chunk.as_bytes())).await.unwrap();
    }
    let held = spool.end().await.unwrap();
    assert_eq!(room.held(), 5);
    let mut other = Spool::new(&room, &limits(0, 10, 0), true);
    assert!(other.expect(6, 1).is_err() && other.make_room(3, 2).is_err());
    assert!(other.write(Bytes::from_static(b"abcdef")).await.is_err());
    other.make_room(2, 2).unwrap();
    drop(other);
    assert_eq!(read(held).await, b"abcde");
    assert_eq!(room.held(), 0);
}

#[tokio::test]
async fn what_is_too_long_for_memory_goes_through_a_file_that_has_no_name() {
    let dir = tempfile::tempdir().unwrap();
    let room = Arc::new(Room::in_files(dir.path()).unwrap());
    let limits = limits(1000, 1 << 20, 1 << 20);
    let body: Vec<u8> = (0..900_000_u32).map(|number| u8::try_from(number % 251).unwrap()).collect();
    for (part, length) in
        [(1, 1001), (7, 5000), (999, 262_144), (1000, 262_145), (100_000, 900_000), (900_000, 900_000)]
    {
        let mut spool = Spool::new(&room, &limits, true);
        for chunk in body[..length].chunks(part) {
            spool.write(Bytes::copy_from_slice(chunk)).await.unwrap();
        }
        let held = spool.end().await.unwrap();
        assert_eq!((room.held(), room.spooled()), (0, length as u64));
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0, "it has a name");
        let Held::File(file) = held else { panic!("{length} bytes in memory") };
        let again = file.again();
        assert_eq!(read(Held::File(file)).await, body[..length]);
        assert_eq!(room.spooled(), length as u64, "there is one more that reads it");
        assert_eq!(read(Held::File(Box::new(again))).await, body[..length]);
        emptied(&room).await;
    }
}

#[tokio::test]
async fn a_body_that_just_fits_is_in_memory() {
    let dir = tempfile::tempdir().unwrap();
    let room = Arc::new(Room::in_files(dir.path()).unwrap());
    let mut spool = Spool::new(&room, &limits(4, 100, 0), true);
    for chunk in ["ab", "cd"] {
        spool.write(Bytes::from_static(chunk.as_bytes())).await.unwrap();
    }
    assert!(matches!(spool.end().await, Ok(Held::Memory(bytes, _)) if bytes == "abcd"));
}

#[tokio::test]
async fn a_body_that_is_given_up_gives_its_space_back() {
    let dir = tempfile::tempdir().unwrap();
    let room = Arc::new(Room::in_files(dir.path()).unwrap());
    let limits = limits(1000, 1 << 20, 1 << 20);
    for length in [1001, 500_000, 1_000_000] {
        let mut spool = Spool::new(&room, &limits, true);
        spool.write(vec![1; length].into()).await.unwrap();
        drop(spool);
        emptied(&room).await;
    }
    let mut spool = Spool::new(&room, &limits, true);
    spool.write(vec![1; 700_000].into()).await.unwrap();
    let Ok(Held::File(mut file)) = spool.end().await else { panic!("in memory") };
    poll_fn(|cx| file.poll_part(cx)).await.unwrap().unwrap();
    let weak = file.file();
    drop(file);
    emptied(&room).await;
    assert_eq!(weak.strong_count(), 0);
}

#[tokio::test]
async fn files_together_take_no_more_than_their_space() {
    let dir = tempfile::tempdir().unwrap();
    let room = Arc::new(Room::in_files(dir.path()).unwrap());
    let limits = limits(1000, 1 << 20, 300_000);
    let mut first = Spool::new(&room, &limits, true);
    first.write(vec![1; 200_000].into()).await.unwrap();
    let held = first.end().await.unwrap();
    let mut second = Spool::new(&room, &limits, true);
    assert!(second.expect(200_000, 0).is_err() && second.expect(100_000, 0).is_ok());
    // Chunk by chunk it shows once the disk is asked.
    let written = second.write(vec![1; 200_000].into()).await;
    let ended = match written {
        Ok(()) => second.end().await.map(drop),
        Err(unavailable) => Err(unavailable),
    };
    assert_eq!(ended.unwrap_err().what(), "spool");
    // Strangers find half of the space.
    let stranger = Spool::new(&room, &limits, false);
    assert!(stranger.expect(10_000, 0).is_err());
    drop(held);
    emptied(&room).await;
    assert!(stranger.expect(150_000, 0).is_ok() && stranger.expect(150_001, 0).is_err());
}

#[tokio::test]
async fn a_file_that_cannot_be_made_is_our_fault_and_counted() {
    let dir = tempfile::tempdir().unwrap();
    let room = Arc::new(Room::in_files(&dir.path().join("a/b")).unwrap());
    drop(dir);
    let mut spool = Spool::new(&room, &limits(1000, 1 << 20, 1 << 20), true);
    spool.write(vec![1; 5000].into()).await.unwrap();
    let Err(unavailable) = spool.end().await else { panic!("written nowhere") };
    assert_eq!((unavailable.what(), room.failures()), ("spool", 1));
    emptied(&room).await;
}
