use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage, SendFlags,
    recvmsg, sendmsg,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt, Interest};
use tokio::net::UnixStream;
use tokio::time::timeout;

/// What two processes say to each other, and the descriptors that one gives the other.
pub(super) struct Channel(UnixStream);

impl Channel {
    pub(super) fn new(stream: UnixStream) -> Self {
        Self(stream)
    }

    /// Says a line.
    ///
    /// # Errors
    /// Where the other side is gone.
    pub(super) async fn say(&mut self, line: &str) -> io::Result<()> {
        self.0.write_all(format!("{line}\n").as_bytes()).await
    }

    /// Hears a line.
    ///
    /// # Errors
    /// Where the other side is gone, says too much, or nothing for so long.
    pub(super) async fn hear(&mut self, limit: Duration) -> io::Result<String> {
        let line = async {
            let mut line = Vec::new();
            // Byte by byte: descriptors may come behind, and must not be read past.
            loop {
                match self.0.read_u8().await? {
                    b'\n' => break,
                    _ if line.len() == LONGEST => return Err(io::ErrorKind::InvalidData.into()),
                    byte => line.push(byte),
                }
            }
            String::from_utf8(line).map_err(io::Error::other)
        };
        timeout(limit, line).await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
    }

    /// As [`Channel::hear`], where there is but one thing to say.
    pub(super) async fn expect(&mut self, word: &str, limit: Duration) -> io::Result<()> {
        let line = self.hear(limit).await?;
        if line == word { Ok(()) } else { Err(io::Error::other(format!("it said \"{}\"", line.escape_debug()))) }
    }

    /// Gives duplicates of these descriptors.
    ///
    /// # Errors
    /// Where the other side is gone.
    pub(super) async fn give(&mut self, all: &[BorrowedFd<'_>]) -> io::Result<()> {
        for some in all.chunks(AT_ONCE) {
            let send = || {
                let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(AT_ONCE))];
                let mut control = SendAncillaryBuffer::new(&mut space);
                if !control.push(SendAncillaryMessage::ScmRights(some)) {
                    return Err(io::Error::other("no room for descriptors"));
                }
                Ok(sendmsg(self.0.as_fd(), &[IoSlice::new(b"+")], &mut control, SendFlags::NOSIGNAL)?)
            };
            self.0.async_io(Interest::WRITABLE, send).await?;
        }
        Ok(())
    }

    /// Takes so many descriptors.
    ///
    /// # Errors
    /// Where the other side is gone, or gives other than it said.
    pub(super) async fn take(&mut self, count: usize, limit: Duration) -> io::Result<Vec<OwnedFd>> {
        let mut taken = Vec::new();
        while taken.len() < count {
            let receive = || {
                let (mut space, mut byte) = ([MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(AT_ONCE))], [0]);
                let mut control = RecvAncillaryBuffer::new(&mut space);
                let flags = RecvFlags::CMSG_CLOEXEC;
                let got = recvmsg(self.0.as_fd(), &mut [IoSliceMut::new(&mut byte)], &mut control, flags)?;
                let mut some = Vec::new();
                for message in control.drain() {
                    if let RecvAncillaryMessage::ScmRights(rights) = message {
                        some.extend(rights);
                    }
                }
                if got.bytes == 0 || some.is_empty() { Err(io::ErrorKind::UnexpectedEof.into()) } else { Ok(some) }
            };
            let some = timeout(limit, self.0.async_io(Interest::READABLE, receive)).await;
            taken.extend(some.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))?);
        }
        if taken.len() == count { Ok(taken) } else { Err(io::ErrorKind::InvalidData.into()) }
    }

    /// Waits until the other side has no more to say, but not for ever.
    pub(super) async fn until_closed(mut self, limit: Duration) {
        let _ = timeout(limit, self.0.read_u8()).await;
    }
}

const LONGEST: usize = 1024;
/// The kernel passes 253 at once.
const AT_ONCE: usize = 64;

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};

    use super::*;

    #[tokio::test]
    async fn lines_and_many_descriptors_arrive_in_order() {
        let (one, other) = UnixStream::pair().unwrap();
        let (mut one, mut other) = (Channel::new(one), Channel::new(other));
        let pipes: Vec<_> = (0..200).map(|_| std::io::pipe().unwrap()).collect();
        one.say("here").await.unwrap();
        let writers: Vec<_> = pipes.iter().map(|(_, writer)| writer.as_fd()).collect();
        let (given, taken) = tokio::join!(one.give(&writers), async {
            assert_eq!(other.hear(Duration::from_secs(5)).await.unwrap(), "here");
            other.take(200, Duration::from_secs(5)).await.unwrap()
        });
        given.unwrap();
        one.say("all").await.unwrap();
        other.expect("all", Duration::from_secs(5)).await.unwrap();
        for (number, (fd, (mut reader, writer))) in taken.into_iter().zip(pipes).enumerate() {
            drop(writer);
            std::fs::File::from(fd).write_all(&[u8::try_from(number).unwrap()]).unwrap();
            let mut read = Vec::new();
            reader.read_to_end(&mut read).unwrap();
            assert_eq!(read, [u8::try_from(number).unwrap()]);
        }
    }

    #[tokio::test]
    async fn who_says_nothing_too_much_or_other_things_is_not_waited_for() {
        let (one, other) = UnixStream::pair().unwrap();
        let (mut one, mut other) = (Channel::new(one), Channel::new(other));
        let short = Duration::from_millis(20);
        assert_eq!(one.hear(short).await.unwrap_err().kind(), io::ErrorKind::TimedOut);
        assert_eq!(one.take(1, short).await.unwrap_err().kind(), io::ErrorKind::TimedOut);
        other.say("come").await.unwrap();
        assert!(one.expect("go", short).await.is_err());
        other.say(&"x".repeat(LONGEST + 1)).await.unwrap();
        assert_eq!(one.hear(short).await.unwrap_err().kind(), io::ErrorKind::InvalidData);
        // Whoever says too much is let go, so nobody hears the rest.
        let (one, other) = UnixStream::pair().unwrap();
        let mut one = Channel::new(one);
        drop(other);
        assert!(one.hear(short).await.is_err() && one.take(1, short).await.is_err() && one.say("go").await.is_err());
    }
}
