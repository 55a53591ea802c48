//! Between a socket and a face: connections that can be broken off, and what every request meets on its way.

use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use axum::extract::connect_info::Connected;
use axum::response::{IntoResponse, Response};
use axum::serve::{IncomingStream, Listener};
use jiff::Timestamp;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};

use crate::calls::Call;
use crate::log;
use crate::weather::{Ending, Kind, Refusal};
use crate::world::{Face, State, World};

/// Serves a face until the process ends.
pub async fn serve(listener: TcpListener, router: Router) {
    let service = router.into_make_service_with_connect_info::<Line>();
    if let Err(error) = axum::serve(Breakable(listener), service).await {
        log(&format!("a face stopped: {error}"));
    }
}

/// A connection, as a handler may cut it.
#[derive(Clone, Default)]
pub struct Line(Arc<AtomicBool>);

impl Line {
    /// Nothing is written any more: the server gives the connection up and closes it.
    fn cut(&self) {
        self.0.store(true, Ordering::Release);
    }

    fn writable(&self) -> io::Result<()> {
        if self.0.load(Ordering::Acquire) { Err(io::ErrorKind::ConnectionAborted.into()) } else { Ok(()) }
    }
}

impl Connected<IncomingStream<'_, Breakable>> for Line {
    fn connect_info(stream: IncomingStream<'_, Breakable>) -> Self {
        stream.io().line.clone()
    }
}

struct Breakable(TcpListener);

impl Listener for Breakable {
    type Io = Stream;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Stream, SocketAddr) {
        let (tcp, address) = Listener::accept(&mut self.0).await;
        (Stream { tcp, line: Line::default() }, address)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()
    }
}

struct Stream {
    tcp: TcpStream,
    line: Line,
}

impl AsyncRead for Stream {
    fn poll_read(mut self: Pin<&mut Self>, task: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_read(task, into)
    }
}

impl AsyncWrite for Stream {
    fn poll_write(mut self: Pin<&mut Self>, task: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.line.writable()?;
        Pin::new(&mut self.tcp).poll_write(task, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        task: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.line.writable()?;
        Pin::new(&mut self.tcp).poll_write_vectored(task, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.tcp.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_flush(task)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_shutdown(task)
    }
}

/// What a face answers, and what the list of calls says of it.
#[derive(Default)]
pub struct Answer {
    /// What goes back.
    pub response: Response,
    /// The error's code, if it failed.
    pub error: Option<String>,
    /// The record it was about.
    pub target_id: Option<String>,
}

/// Takes a request through what is in its way: waits, acts unless the request is lost before, remembers the call, and
/// answers unless the answer is lost.
pub async fn answer(
    world: &World,
    line: &Line,
    call: (Face, &str),
    act: impl FnOnce(&mut State, Timestamp) -> Answer,
    refuse: impl FnOnce(&Refusal) -> Answer,
) -> Response {
    let fate = Fate::of(world, call).await;
    let end = world.with(|state, now| {
        let done = if fate.acted { act(state, now) } else { Answer::default() };
        fate.end(state, now, done, refuse)
    });
    finish(line, end).await
}

/// [`answer`] for what is not acted on here but somewhere else.
pub async fn pass(
    world: &World,
    line: &Line,
    call: (Face, &str),
    act: impl Future<Output = Answer>,
    refuse: impl FnOnce(&Refusal) -> Answer,
) -> Response {
    let fate = Fate::of(world, call).await;
    let done = if fate.acted { act.await } else { Answer::default() };
    let end = world.with(|state, now| fate.end(state, now, done, refuse));
    finish(line, end).await
}

/// How late an answer is; none when it is lost.
type End = (Duration, Option<Response>);

/// What is in the way of one request.
struct Fate<'a> {
    face: Face,
    operation: &'a str,
    acted: bool,
    weather: Option<Kind>,
    ending: Ending,
}

impl<'a> Fate<'a> {
    async fn of(world: &World, (face, operation): (Face, &'a str)) -> Self {
        let (wait, mishap) = world.arrival(face, operation);
        tokio::time::sleep(wait).await;
        Self {
            face,
            operation,
            acted: mishap.as_ref().is_none_or(|mishap| mishap.acted),
            weather: mishap.as_ref().and_then(|mishap| mishap.weather),
            ending: mishap.map_or(Ending::Slow(Duration::ZERO), |mishap| mishap.ending),
        }
    }

    /// Remembers the call.
    fn end(self, state: &mut State, now: Timestamp, done: Answer, refuse: impl FnOnce(&Refusal) -> Answer) -> End {
        let (late, given) = match self.ending {
            Ending::Slow(late) => (late, Some(done)),
            Ending::Drop => (Duration::ZERO, None),
            Ending::Refused(refusal) => {
                (Duration::ZERO, Some(Answer { target_id: done.target_id, ..refuse(&refusal) }))
            }
        };
        let own_error = given.as_ref().and_then(|given| given.error.clone());
        let struck = self.weather.map(|kind| kind.name().to_owned());
        state.record(Call {
            face: self.face,
            operation: self.operation.to_owned(),
            status: given.as_ref().map(|given| given.response.status().as_u16()),
            at: now,
            acted: self.acted,
            target_id: given.as_ref().and_then(|given| given.target_id.clone()),
            error: if self.weather == Some(Kind::Slow) { own_error.or(struck) } else { struck.or(own_error) },
            weather: self.weather,
        });
        (late, given.map(|given| given.response))
    }
}

/// The call stands in the list before the wait: a client that gives up takes its handler with it.
async fn finish(line: &Line, (late, response): End) -> Response {
    tokio::time::sleep(late).await;
    response.unwrap_or_else(|| {
        line.cut();
        ().into_response()
    })
}
