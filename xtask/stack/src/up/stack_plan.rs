use std::collections::BTreeMap;
use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use feeway_machine::binaries::Binaries;
use feeway_machine::ports::free_ports;
use feeway_machine::programs::Servers;
use feeway_machine::readiness::{Address, Readiness};

use super::nginx;
use super::options::{LoadBalancer, UpOptions, word};
use super::scrape_targets;
use crate::plan::{Plan, ProcessPlan, Stage, StopSignal};
use crate::stack_dir::StackDir;

/// What the simulated processors are called, in the order of their ports.
const SIMULATORS: [&str; 2] = ["default", "fallback"];

/// How many fronts `haproxy.cfg` knows.
const MAX_FRONTS: usize = 8;

/// A simulated processor's answer to this needs its token, and shows that it serves.
const SIMULATOR_PATH: &str = "/admin/payments-summary";
const SIMULATOR_HEADER: &str = "X-Rinha-Token: 123";

/// Puts the stack together and writes the configuration of its servers.
pub(super) fn plan_stack(
    dir: &StackDir,
    options: &UpOptions,
    servers: &Servers,
    binaries: &Binaries,
) -> Result<Plan> {
    let sockets = dir.create_socket_folder()?;
    let fronts = usize::from(options.fronts);
    let leaders = usize::from(options.leaders);
    let mut ports = free_ports(2 + leaders + fronts)?.into_iter();
    let mut own_port = move || ports.next().context("too few ports were reserved");

    let redis = redis(dir, options, servers, &sockets)?;
    let nats = nats(dir, options, servers, own_port()?)?;
    let mut processors = options.processors.clone();
    let mut urls = options.urls();
    let mut simulators = Vec::new();
    if processors.is_empty() {
        let fees = [&options.fee_default, &options.fee_fallback];
        for ((name, port), fee) in SIMULATORS
            .into_iter()
            .zip(options.simulator_ports()?)
            .zip(fees)
        {
            simulators.push(simulator(binaries, name, port, fee));
            processors.push(format!("{name}=http://127.0.0.1:{port},fee={fee}"));
            urls.push((name.to_owned(), format!("http://localhost:{port}")));
        }
    }
    let mut shared = vec![
        "--redis".to_owned(),
        format!("unix://{}", redis.address.text()),
        "--nats".to_owned(),
        format!("nats://{}", nats.address.text()),
    ];
    for processor in processors {
        shared.extend(["--processor".to_owned(), processor]);
    }

    let mut processes = vec![redis, nats];
    processes.extend(simulators);
    for number in 1..=leaders {
        processes.push(leader(binaries, number, own_port()?, &shared));
    }
    let mut front_sockets = Vec::new();
    for number in 1..=fronts {
        let socket = sockets.join(format!("front-{number}.sock"));
        let front = front(binaries, number, &socket, own_port()?, &shared);
        processes.push(with_arguments(front, options.front_arguments()));
        front_sockets.push(socket);
    }
    let metrics = own_port()?;
    processes.push(match options.lb {
        LoadBalancer::Haproxy => haproxy(dir, options, servers, metrics, &front_sockets, &sockets)?,
        LoadBalancer::Nginx => nginx::plan(dir, options.port, &front_sockets)?,
    });
    configuration(dir, options, "deploy/prometheus.yml")?;
    configuration(dir, options, "deploy/alerts.yml")?;
    scrape_targets::write(&dir.configuration(), &processes)?;
    Ok(Plan {
        socket_folder: sockets,
        processes,
        urls,
    })
}

fn redis(
    dir: &StackDir,
    options: &UpOptions,
    servers: &Servers,
    sockets: &Path,
) -> Result<ProcessPlan> {
    let socket = sockets.join("redis.sock");
    let memory = match &options.redis_memory {
        Some(size) => size.clone(),
        None => format!("{}kb", machine_memory_kib()? / 2),
    };
    let at = Address::Unix(socket.clone());
    let configuration = configuration(dir, options, "deploy/redis.conf")?;
    let arguments = strings(&[
        &text(&configuration),
        "--port",
        "0",
        "--unixsocket",
        &text(&socket),
        "--unixsocketperm",
        "700",
        "--dir",
        &text(&dir.redis_data()),
        "--appendfsync",
        &word(options.fsync),
        "--maxmemory",
        &memory,
    ]);
    Ok(ProcessPlan {
        name: "redis".to_owned(),
        stage: Stage::Servers,
        program: servers.redis.clone(),
        arguments,
        environment: BTreeMap::new(),
        address: at.clone(),
        readiness: Readiness::RedisPong { at },
        stop_signal: StopSignal::Terminate,
    })
}

fn nats(dir: &StackDir, options: &UpOptions, servers: &Servers, port: u16) -> Result<ProcessPlan> {
    let at = loopback(port);
    let configuration = configuration(dir, options, "deploy/nats.conf")?;
    Ok(ProcessPlan {
        name: "nats".to_owned(),
        stage: Stage::Servers,
        program: servers.nats.clone(),
        arguments: strings(&[
            "--config",
            &text(&configuration),
            "--addr",
            "127.0.0.1",
            "--port",
            &port.to_string(),
        ]),
        environment: BTreeMap::new(),
        address: at.clone(),
        readiness: Readiness::NatsInfo { at },
        stop_signal: StopSignal::Terminate,
    })
}

fn simulator(binaries: &Binaries, name: &str, port: u16, fee: &str) -> ProcessPlan {
    let at = loopback(port);
    ProcessPlan {
        name: format!("simulator-{name}"),
        stage: Stage::Processors,
        program: binaries.simulator.clone(),
        arguments: strings(&["--listen", &at.text(), "--name", name, "--fee", fee]),
        environment: BTreeMap::new(),
        address: at.clone(),
        readiness: Readiness::HttpOk {
            at,
            path: SIMULATOR_PATH.to_owned(),
            header: Some(SIMULATOR_HEADER.to_owned()),
        },
        stop_signal: StopSignal::Terminate,
    }
}

fn leader(binaries: &Binaries, number: usize, port: u16, shared: &[String]) -> ProcessPlan {
    let name = format!("leader-{number}");
    let at = loopback(port);
    let own = strings(&[
        "--name",
        &name,
        "--admin-listen",
        &format!("tcp:{}", at.text()),
    ]);
    gateway(&binaries.leader, name, at, own, shared)
}

fn front(
    binaries: &Binaries,
    number: usize,
    socket: &Path,
    admin_port: u16,
    shared: &[String],
) -> ProcessPlan {
    let name = format!("front-{number}");
    let at = Address::Unix(socket.to_owned());
    let own = strings(&[
        "--name",
        &name,
        "--listen",
        &format!("unix:{}", at.text()),
        "--admin-listen",
        &format!("tcp:{}", loopback(admin_port).text()),
    ]);
    gateway(&binaries.front, name, at, own, shared)
}

/// A process of the product.
fn gateway(
    program: &Path,
    name: String,
    at: Address,
    own: Vec<String>,
    shared: &[String],
) -> ProcessPlan {
    let plan = ProcessPlan {
        name,
        stage: Stage::Gateway,
        program: program.to_owned(),
        arguments: own,
        environment: BTreeMap::new(),
        address: at.clone(),
        readiness: ready_page(at),
        stop_signal: StopSignal::Terminate,
    };
    with_arguments(plan, shared.to_vec())
}

fn haproxy(
    dir: &StackDir,
    options: &UpOptions,
    servers: &Servers,
    metrics_port: u16,
    fronts: &[PathBuf],
    sockets: &Path,
) -> Result<ProcessPlan> {
    let configuration = configuration(dir, options, "haproxy.cfg")?;
    let at = loopback(options.port);
    let mut environment = BTreeMap::from([
        ("FEEWAY_PORT".to_owned(), Some(options.port.to_string())),
        ("FEEWAY_RUN_DIR".to_owned(), Some(text(sockets))),
        (
            "FEEWAY_METRICS".to_owned(),
            Some(loopback(metrics_port).text()),
        ),
    ]);
    // A front that the user's own environment names is not one of this stack.
    for index in 0..MAX_FRONTS {
        let server = fronts
            .get(index)
            .map(|socket| format!("unix@{}", socket.display()));
        environment.insert(format!("FEEWAY_FRONT_{}", index + 1), server);
    }
    Ok(ProcessPlan {
        name: "haproxy".to_owned(),
        stage: Stage::Entrance,
        program: servers.haproxy.clone(),
        // In the foreground, as one process.
        arguments: strings(&["-db", "-f", &text(&configuration)]),
        environment,
        address: at.clone(),
        // The whole way of a question: entrance, front, Redis.
        readiness: Readiness::HttpOk {
            at,
            path: "/payments-summary".to_owned(),
            header: None,
        },
        stop_signal: StopSignal::User1,
    })
}

fn ready_page(at: Address) -> Readiness {
    Readiness::HttpOk {
        at,
        path: "/readyz".to_owned(),
        header: None,
    }
}

/// Copies a configuration of the repository: an edit must not change what runs.
fn configuration(dir: &StackDir, options: &UpOptions, path: &str) -> Result<PathBuf> {
    let from = options.configuration_tree().join(path);
    let name = from.file_name().context("the configuration has no name")?;
    let to = dir.configuration().join(name);
    fs::copy(&from, &to).with_context(|| format!("cannot copy {}", from.display()))?;
    Ok(to)
}

fn machine_memory_kib() -> Result<u64> {
    let meminfo = fs::read_to_string("/proc/meminfo")?;
    meminfo
        .lines()
        .find_map(|line| line.strip_prefix("MemTotal:")?.trim().strip_suffix("kB"))
        .and_then(|kib| kib.trim().parse().ok())
        .context("/proc/meminfo names no MemTotal: give --redis-memory")
}

fn with_arguments(mut plan: ProcessPlan, more: Vec<String>) -> ProcessPlan {
    plan.arguments.extend(more);
    plan
}

pub(super) fn loopback(port: u16) -> Address {
    Address::Tcp(SocketAddr::from((Ipv4Addr::LOCALHOST, port)))
}

pub(super) fn strings(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

pub(super) fn text(path: &Path) -> String {
    path.display().to_string()
}
