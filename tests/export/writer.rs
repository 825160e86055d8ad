//! Writers that fail.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::AsyncWrite;

/// Takes so many bytes, and fails then: with a write, as a pipe does, or when it is flushed, as a file does.
#[derive(Default)]
pub(crate) struct Failing {
    pub(crate) taken: Vec<u8>,
    /// What was taken when it was last flushed.
    pub(crate) flushed: usize,
    pub(crate) limit: usize,
    pub(crate) when_flushed: bool,
}

impl Failing {
    fn error() -> io::Error {
        io::Error::new(io::ErrorKind::StorageFull, "the disk is full")
    }
}

impl AsyncWrite for Failing {
    fn poll_write(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.when_flushed {
            self.taken.extend_from_slice(bytes);
            return Poll::Ready(Ok(bytes.len()));
        }
        let fits = bytes.len().min(self.limit - self.taken.len());
        if fits == 0 {
            return Poll::Ready(Err(Self::error()));
        }
        self.taken.extend_from_slice(&bytes[..fits]);
        Poll::Ready(Ok(fits))
    }

    fn poll_flush(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.when_flushed && self.taken.len() > self.limit {
            return Poll::Ready(Err(Self::error()));
        }
        self.flushed = self.taken.len();
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
