//! How long a client may take to send a body and to take an answer.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep, sleep_until};

use super::seats::Seat;

/// Between two pieces of a body.
const BODY_PIECE_WITHIN: Duration = Duration::from_secs(15);
/// The whole of it.
const BODY_WITHIN: Duration = Duration::from_secs(180);
/// A client that takes nothing of an answer for so long has left.
const TAKEN_WITHIN: Duration = Duration::from_secs(30);

/// A body that does not come in time ends with an error.
#[derive(Debug)]
pub(super) struct PatientBody {
    body: Incoming,
    whole_by: Instant,
    piece_by: Pin<Box<Sleep>>,
}

/// The client was too slow.
#[derive(Debug, thiserror::Error)]
pub(super) enum BodyError {
    #[error("it did not come in time: at most {} s between two pieces, {} s in all", BODY_PIECE_WITHIN.as_secs(), BODY_WITHIN.as_secs())]
    TooSlow,
    #[error(transparent)]
    Broken(#[from] hyper::Error),
}

impl PatientBody {
    pub(super) fn new(body: Incoming) -> Self {
        let now = Instant::now();
        Self { body, whole_by: now + BODY_WITHIN, piece_by: Box::pin(sleep_until(now + BODY_PIECE_WITHIN)) }
    }
}

impl Body for PatientBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        if let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(context) {
            let next_by = self.whole_by.min(Instant::now() + BODY_PIECE_WITHIN);
            self.piece_by.as_mut().reset(next_by);
            return Poll::Ready(frame.map(|frame| frame.map_err(BodyError::from)));
        }
        ready!(self.piece_by.as_mut().poll(context));
        Poll::Ready(Some(Err(BodyError::TooSlow)))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// A connection whose client has to take what is sent to it. Its seat lives as long as it does, also as a WebSocket.
#[derive(Debug)]
pub(super) struct PatientStream {
    stream: TcpStream,
    /// Set while the client takes nothing.
    taken_by: Option<Pin<Box<Sleep>>>,
    _seat: Arc<Seat>,
}

impl PatientStream {
    pub(super) fn new(stream: TcpStream, seat: Arc<Seat>) -> Self {
        Self { stream, taken_by: None, _seat: seat }
    }

    fn in_time<T>(&mut self, context: &mut Context<'_>, written: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.taken_by = None;
            return written;
        }
        let taken_by =
            self.taken_by.get_or_insert_with(|| Box::pin(sleep_until(Instant::now() + TAKEN_WITHIN)));
        ready!(taken_by.as_mut().poll(context));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl AsyncRead for PatientStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for PatientStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.in_time(context, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, bytes);
        self.in_time(context, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
