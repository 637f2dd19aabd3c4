//! The floor: a server that does for a payment what no front can do without. It reads the
//! body to its end and answers 202. Behind the same HAProxy nothing can be faster.

use std::convert::Infallible;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context as _;
use bytes::Bytes;
use clap::Parser;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::UnixListener;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

// The front's own settings.
const CONNECTION_BUFFER_BYTES: usize = 16 * 1024;
const HEAD_TIMEOUT: Duration = Duration::from_secs(5);

/// Answers 202 to every payment and keeps none.
#[derive(Parser)]
#[command(name = "feeway-floor")]
struct CommandLine {
    /// Where to listen, like `unix:/run/floor.sock`
    #[arg(long, value_parser = unix_path)]
    listen: PathBuf,
}

fn unix_path(text: &str) -> Result<PathBuf, String> {
    let path = text.strip_prefix("unix:").filter(|path| !path.is_empty());
    path.map(PathBuf::from)
        .ok_or_else(|| "must be unix:/path".to_owned())
}

/// What everybody who asks is told: a summary in which nobody has settled anything.
const NOTHING: &[u8] = b"{}";

/// A GET is HAProxy's check or somebody who wants to know whether we are there.
async fn answer(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, hyper::Error> {
    if request.method() == Method::GET {
        return Ok(Response::new(Full::new(Bytes::from_static(NOTHING))));
    }
    let mut body = request.into_body();
    while let Some(frame) = body.frame().await {
        frame?;
    }
    let mut answer = Response::default();
    *answer.status_mut() = StatusCode::ACCEPTED;
    Ok(answer)
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<Infallible> {
    let line = CommandLine::parse();
    let listener = UnixListener::bind(&line.listen)
        .with_context(|| format!("cannot listen on {}", line.listen.display()))?;
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_buf_size(CONNECTION_BUFFER_BYTES)
        .half_close(true);
    loop {
        let (stream, _) = listener.accept().await.context("cannot accept")?;
        let connection = http.serve_connection(TokioIo::new(stream), service_fn(answer));
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                eprintln!("connection ended early: {error}");
            }
        });
    }
}
