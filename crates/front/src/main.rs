//! The front's process.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use feeway_front::{App, Config, Server, admin_of, health_feed, open_files};
use feeway_health::{Board, ReportSubscriber};
use feeway_options::or_exit_code;
use feeway_process::{Exposition, StopSignal, start_log};
use feeway_store::RedisStore;
use feeway_worker::start;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// For attempts in flight at the end; with 1 s of notice, 3 s of farewell, and up to 4 s until Redis
/// can forget nothing of it, that is 12 s.
const DRAIN: Duration = Duration::from_secs(4);

fn main() -> ExitCode {
    let config = match or_exit_code(Config::read(std::env::args_os())) {
        Ok(config) => config,
        Err(code) => return code,
    };
    start_log(&config.log);
    if let Err(error) = run(&config) {
        eprintln!("error: {error:#}");
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}

#[tokio::main(flavor = "current_thread")]
async fn run(config: &Config) -> anyhow::Result<()> {
    let stop = StopSignal::catch()?;
    open_files::allow_many();
    let clients = config.clients()?;
    let exposition = Exposition::install(env!("CARGO_PKG_VERSION"))?;
    tokio::spawn(exposition.clone().keep_small());
    let server = Server::bind(&config.listen, &config.admin_listen).await?;
    let store = RedisStore::new(config.redis());
    let board = Board::new(config.board(), config.processor_names());
    let reports = ReportSubscriber::connect(config.nats.config()).await?;
    let nats = health_feed::start(reports, &store, &board);
    let worker = config.worker(store.redis().standstill());
    let worker = start(worker, store.clone(), clients, Arc::clone(&board));
    let gateway = worker.gateway();
    let app = App::new(store.clone(), gateway.clone(), config.app());
    let readiness = Arc::clone(app.readiness());
    readiness.heed(store.redis().standstill());
    let ready = Arc::clone(&readiness);
    let admin = admin_of(ready, store.clone(), gateway.clone(), nats, exposition);
    let loaded = async {
        store.redis().ready().await?;
        health_feed::catch_up(&store, &board).await;
        gateway.enlisted().await;
        store.redis().opened().await;
        anyhow::Ok(())
    };
    let refused = async { gateway.refused().await.into() };
    let stopped = stop.wait_beside(readiness.follow(loaded, refused));
    let stopped = server.run(Arc::new(app), Arc::new(admin), stopped).await;
    worker.drain(DRAIN).await;
    stopped
}
