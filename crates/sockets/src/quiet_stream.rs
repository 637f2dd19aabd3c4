use std::io::{self, ErrorKind, IoSlice, Read as _, Write as _};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::unix::AsyncFd;
use tokio::io::{AsyncRead, AsyncWrite, Interest, ReadBuf};

/// What one call reads at most: a payment and its head take a few hundred bytes, and safe code
/// has to clear what it lends the kernel.
const READ: usize = 2 * 1024;

/// A Unix stream socket whose owner is woken when there is something to read, and no oftener.
///
/// [`tokio::net::UnixStream`] always asks the kernel for "writable" too, and of a Unix socket
/// the kernel says that anew whenever the other side has read something (`unix_write_space` in
/// `net/unix/af_unix.c`; TCP says it only to who was refused). So each answer and each command
/// was followed by a wake-up for nothing, at the moment when the other side had just begun
/// to work on it, at times on the same CPU.
#[derive(Debug)]
pub struct QuietStream {
    /// Asks for "readable" alone.
    reading: AsyncFd<UnixStream>,
    /// The same socket, while the kernel takes no more: asks for "writable" alone.
    writing: Option<AsyncFd<UnixStream>>,
}

impl QuietStream {
    /// Takes a connected socket over.
    ///
    /// # Errors
    /// When the kernel cannot watch the socket.
    ///
    /// # Panics
    /// Outside of a tokio runtime with I/O.
    pub fn new(stream: tokio::net::UnixStream) -> io::Result<Self> {
        Ok(Self {
            reading: watched(stream.into_std()?, Interest::READABLE)?,
            writing: None,
        })
    }

    /// Writes what the kernel takes at once, and no more.
    ///
    /// # Errors
    /// [`ErrorKind::WouldBlock`] when that is nothing, and those of the socket.
    pub fn try_write(&self, bytes: &[u8]) -> io::Result<usize> {
        self.reading.get_ref().write(bytes)
    }

    fn poll_written(
        &mut self,
        cx: &mut Context<'_>,
        write: impl Fn(&UnixStream) -> io::Result<usize>,
    ) -> Poll<io::Result<usize>> {
        loop {
            let Some(writing) = &self.writing else {
                match write(self.reading.get_ref()) {
                    Err(error) if error.kind() == ErrorKind::WouldBlock => {
                        let same = self.reading.get_ref().try_clone()?;
                        self.writing = Some(watched(same, Interest::WRITABLE)?);
                    }
                    Err(error) if error.kind() == ErrorKind::Interrupted => {}
                    written => return Poll::Ready(written),
                }
                continue;
            };
            let mut guard = ready!(writing.poll_write_ready(cx))?;
            match write(guard.get_inner()) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => guard.clear_ready(),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                written => {
                    self.writing = None;
                    return Poll::Ready(written);
                }
            }
        }
    }
}

#[expect(
    deprecated,
    reason = "its successor is unsafe, for a type that might change its file; a UnixStream never does"
)]
fn watched(stream: UnixStream, interest: Interest) -> io::Result<AsyncFd<UnixStream>> {
    AsyncFd::with_interest(stream, interest)
}

impl AsyncRead for QuietStream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let room = buffer.remaining().min(READ);
        loop {
            let mut guard = ready!(self.reading.poll_read_ready(cx))?;
            match guard.get_inner().read(buffer.initialize_unfilled_to(room)) {
                Ok(count) => {
                    // Less than was asked for is all there was, and the kernel tells of what
                    // comes next (epoll(7), "Questions and answers", 9).
                    if 0 < count && count < room {
                        guard.clear_ready();
                    }
                    buffer.advance(count);
                    return Poll::Ready(Ok(()));
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => guard.clear_ready(),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
    }
}

impl AsyncWrite for QuietStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_written(cx, |mut stream| stream.write(bytes))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.poll_written(cx, |mut stream| stream.write_vectored(slices))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    /// Sockets hold nothing back.
    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(self.reading.get_ref().shutdown(Shutdown::Write))
    }
}
