use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::thread;
use std::time::Duration;

use anyhow::{Result, bail};
use feeway_machine::clock::Deadline;
use feeway_machine::docker::{Container, Engine};
use feeway_machine::readiness::{Address, Readiness};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use super::stack::{ContainerStack, copy_files, names};
use crate::down;
use crate::image;
use crate::stack_dir::StackDir;
use crate::status;
use crate::supervisor::START_TIMEOUT;
use crate::up::{LoadBalancer, UpOptions, check_ports, refuse_second_stack, word};

/// What `compose.yaml` has of each.
const FRONTS: u16 = 2;
const LEADERS: u16 = 2;

/// A look asks the engine for each container, which is not free.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// Whether the image is to be built first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Image {
    /// As far as the programs have changed.
    Build,
    /// It was, by the caller.
    Built,
}

/// Starts a stack in containers, and stays with it until Ctrl-C unless it is to run on its
/// own.
pub(crate) fn run(dir: &StackDir, options: &UpOptions, image: Image) -> Result<()> {
    check_options(options)?;
    let lock = dir.lock()?;
    refuse_second_stack(dir)?;
    check_ports(options)?;
    let engine = Engine::find()?;
    provide_images(&engine, options, image)?;
    dir.create()?;
    let stack = plan(dir, options)?;
    if !stack.simulators {
        require_network(&engine, &stack)?;
    }
    copy_files(dir, &stack.overrides)?;
    stack.save(dir)?;

    let mut signals = Signals::new([SIGTERM, SIGINT, SIGHUP])?;
    println!("Starting …");
    let started = stack
        .start(dir)
        .and_then(|()| await_ready(&engine, &stack, options, &mut signals));
    if let Err(error) = started {
        println!("Stopping …");
        down::stop(dir)?;
        return Err(error);
    }
    drop(lock);
    println!();
    status::print(dir)?;
    println!();
    for (label, url) in &stack.urls {
        println!("{label:12} {url}");
    }
    println!("{:12} cargo xtask logs", "Logs");
    if options.detach {
        return Ok(());
    }
    println!("\nCtrl-C stops the stack.");
    stay(dir, &engine, &mut signals)
}

fn provide_images(engine: &Engine, options: &UpOptions, image: Image) -> Result<()> {
    let floor = options.floor.then(|| image::floor_tag(options.profile));
    match image {
        Image::Build => {
            image::build(options.profile)?;
            if options.floor {
                image::build_floor(options.profile)?;
            }
        }
        Image::Built => {
            for tag in [image::tag(options.profile)].into_iter().chain(floor) {
                if !engine.has_image(tag)? {
                    bail!("the image {tag} was not built");
                }
            }
        }
    }
    Ok(())
}

fn check_options(options: &UpOptions) -> Result<()> {
    if options.fronts != FRONTS || options.leaders != LEADERS {
        bail!(
            "compose.yaml has {FRONTS} fronts and {LEADERS} leaders: leave out --fronts and --leaders, or --engine docker"
        );
    }
    if options.redis_memory.is_some() {
        bail!(
            "compose.yaml sets the memory of Redis: leave out --redis-memory, or --engine docker"
        );
    }
    Ok(())
}

fn plan(dir: &StackDir, options: &UpOptions) -> Result<ContainerStack> {
    let (project, mut network) = names(dir)?;
    let simulators = options.processors.is_empty();
    let mut environment: BTreeMap<String, String> = options.front_environment();
    let mut set = |name: &str, value: String| {
        environment.insert(name.to_owned(), value);
    };
    let [default, fallback] = options.simulator_ports()?;
    let mut processors = options.processors.clone();
    let mut urls = options.urls();
    let mut ports = BTreeMap::from([(word(options.lb), options.port)]);
    if simulators {
        for (name, port, fee) in [
            ("default", default, &options.fee_default),
            ("fallback", fallback, &options.fee_fallback),
        ] {
            processors.push(format!(
                "{name}=http://payment-processor-{name}:8080,fee={fee}"
            ));
            urls.push((name.to_owned(), format!("http://localhost:{port}")));
            ports.insert(format!("simulator-{name}"), port);
            set(
                &format!("FEEWAY_FEE_{}", name.to_ascii_uppercase()),
                fee.clone(),
            );
            set(
                &format!("FEEWAY_PORT_{}", name.to_ascii_uppercase()),
                port.to_string(),
            );
        }
    } else if let Ok(named) = std::env::var(NETWORK_VARIABLE) {
        network = named;
    } else {
        network = "payment-processor".to_owned();
    }
    set(NETWORK_VARIABLE, network);
    set("FEEWAY_PROCESSORS", processors.join(";"));
    set("FEEWAY_PORT", options.port.to_string());
    set("FEEWAY_FSYNC", word(options.fsync));
    set("FEEWAY_IMAGE", image::tag(options.profile).to_owned());
    if options.floor {
        let tag = image::floor_tag(options.profile);
        set("FEEWAY_FLOOR_IMAGE", tag.to_owned());
    }
    Ok(ContainerStack {
        project,
        overrides: overrides(options),
        simulators,
        environment,
        urls,
        ports,
    })
}

/// What changes `compose.yaml`.
fn overrides(options: &UpOptions) -> Vec<String> {
    let nginx = (options.lb == LoadBalancer::Nginx).then_some("deploy/compose.nginx.yaml");
    let floor = options.floor.then_some("deploy/compose.floor.yaml");
    let named = nginx.into_iter().chain(floor);
    named.map(str::to_owned).collect()
}

/// Where compose is told which network leads to the processors.
const NETWORK_VARIABLE: &str = "FEEWAY_PROCESSOR_NETWORK";

fn require_network(engine: &Engine, stack: &ContainerStack) -> Result<()> {
    let name = stack.environment.get(NETWORK_VARIABLE);
    let name = name.map_or("payment-processor", String::as_str);
    if engine.has_network(name)? {
        return Ok(());
    }
    bail!(
        "there is no network {name} for the processors: start them, or create it with `docker network create {name}`"
    )
}

/// The entrance first, because it answers only when the rest does; then each by its own check.
fn await_ready(
    engine: &Engine,
    stack: &ContainerStack,
    options: &UpOptions,
    signals: &mut Signals,
) -> Result<()> {
    let entrance = Readiness::HttpOk {
        at: Address::Tcp(SocketAddr::from((Ipv4Addr::LOCALHOST, options.port))),
        path: "/payments-summary".to_owned(),
        header: None,
    };
    let deadline = Deadline::after(START_TIMEOUT);
    let mut last = String::from("the entrance");
    loop {
        if signals.pending().next().is_some() {
            bail!("interrupted");
        }
        let containers = stack.containers(engine)?;
        if let Some(ended) = containers
            .iter()
            .find(|each| each.restarts > 0 || !each.running)
        {
            bail!(
                "{} ended with {}:\n{}",
                ended.service,
                ended.exit_code,
                ended.last_words()?
            );
        }
        if entrance.ask() {
            let waiting = not_ready(&containers);
            if waiting.is_empty() {
                return Ok(());
            }
            last = waiting.join(", ");
        }
        if deadline.passed() {
            bail!("not ready within {} s: {last}", START_TIMEOUT.as_secs());
        }
        thread::sleep(LOOK_EVERY);
    }
}

fn not_ready(containers: &[Container]) -> Vec<String> {
    let unready = containers.iter().filter(|container| !container.is_ready());
    unready.map(|container| container.service.clone()).collect()
}

/// Waits until it is interrupted, tells of containers that come and go, and stops the stack.
fn stay(dir: &StackDir, engine: &Engine, signals: &mut Signals) -> Result<()> {
    let mut known: BTreeMap<String, (bool, u64)> = BTreeMap::new();
    loop {
        if signals.pending().next().is_some() {
            println!("Stopping …");
            return down::stop(dir);
        }
        // `down` at another terminal removes the record first.
        let Some(stack) = ContainerStack::load(dir)? else {
            bail!("the stack was stopped by another command");
        };
        for container in stack.containers(engine)? {
            let now = (container.running, container.restarts);
            let before = known.insert(container.service.clone(), now);
            if before.is_some_and(|before| before != now) {
                let runs = if container.running {
                    "runs again"
                } else {
                    "has ended"
                };
                println!(
                    "  {} {runs} (restarts: {})",
                    container.service, container.restarts
                );
            }
        }
        thread::sleep(LOOK_EVERY * 4);
    }
}
