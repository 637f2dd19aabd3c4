use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use rustix::net::{RecvFlags, recv};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use crate::misdelivery::Record;

/// What one look at the socket takes; the rest is read as ever.
const LOOK_LEN: usize = 256;

/// The TCP connection below HTTP or TLS. It notes when something is written, and before a
/// request goes out on a connection that has rested it makes sure that nothing came meanwhile.
pub(crate) struct Socket {
    stream: TcpStream,
    record: Arc<Record>,
}

impl Socket {
    pub(crate) fn new(stream: TcpStream, record: Arc<Record>) -> Self {
        Self { stream, record }
    }
}

impl AsyncRead for Socket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let read = Pin::new(&mut self.stream).poll_read(cx, buffer);
        // tokio knows of what has come only after it has asked the kernel for events, which
        // a busy runtime does every now and then. hyper reads before it writes a request, and
        // hands the request back when there is something to read; so the kernel is asked here.
        if read.is_pending() && self.record.takes_look() {
            let mut bytes = [0; LOOK_LEN];
            let room = buffer.remaining().min(LOOK_LEN);
            // Other errors are told by the stream itself, later.
            if let Ok((_, len)) = recv(&self.stream, &mut bytes[..room], RecvFlags::DONTWAIT) {
                buffer.put_slice(&bytes[..len]);
                return Poll::Ready(Ok(()));
            }
        }
        read
    }
}

impl AsyncWrite for Socket {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.record.wrote();
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.record.wrote();
        Pin::new(&mut self.stream).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
