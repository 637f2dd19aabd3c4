//! The command lines of the three load generators.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};
use feeway_machine::files::repository;

use super::options::Part;
use super::tools::Tools;

/// What the contest's preview comes to in its second half, and what we promise
/// a latency at.
const PACED_RATE: f64 = 300.0;

/// More than the 3 000 payments a second that are to be processed and settled.
const THROUGHPUT_RATE: f64 = 4_000.0;
pub(super) const THROUGHPUT_SECONDS: u32 = 6;
const THROUGHPUT_CONNECTIONS: u32 = 64;

const WARM_UP_RATE: f64 = 200.0;
pub(super) const WARM_UP: Duration = Duration::from_secs(1);

/// As many as a front keeps to a processor in quiet times.
const POSTER_CONNECTIONS: u32 = 32;

/// A saturating client keeps this many requests in flight.
const WRK_CONNECTIONS: u32 = 64;

/// A rate below this is no load.
const LEAST_RATE: f64 = 0.1;

/// The load of a part on whatever listens there.
pub(super) fn command(
    part: Part,
    tools: &Tools,
    target: SocketAddr,
    length: Duration,
) -> Result<Command> {
    match part {
        Part::Paced => Ok(pace(&tools.pace, target, PACED_RATE, length)),
        Part::Throughput => {
            let mut command = pace(&tools.pace, target, THROUGHPUT_RATE, length);
            command.args(["--connections", &THROUGHPUT_CONNECTIONS.to_string()]);
            command.args(["--spin-micros", "0"]);
            Ok(command)
        }
        Part::Preview => preview(tools, target, length),
        Part::Failing | Part::Healthy | Part::Memory => saturation(tools, target, length),
    }
}

pub(super) fn warm_up(tools: &Tools, target: SocketAddr) -> Command {
    pace(&tools.pace, target, WARM_UP_RATE, WARM_UP)
}

/// What keeps a simulator as busy as Feeway did on average in this part, if that was at all.
pub(super) fn poster(
    part: Part,
    tools: &Tools,
    simulator: SocketAddr,
    rate: f64,
    length: Duration,
) -> Option<Command> {
    if rate < LEAST_RATE {
        return None;
    }
    let ramp = part == Part::Preview;
    let rate = if ramp { rate * 2.0 } else { rate };
    let mut command = pace(&tools.pace, simulator, rate, length);
    command.args(["--to", "processor", "--spin-micros", "0"]);
    command.args(["--connections", &POSTER_CONNECTIONS.to_string()]);
    command.args(ramp.then_some("--ramp"));
    Some(command)
}

fn pace(program: &Path, target: SocketAddr, rate: f64, length: Duration) -> Command {
    let mut command = Command::new(program);
    command
        .arg(target.to_string())
        .args(["--rate", &rate.to_string()])
        .args(["--seconds", &length.as_secs_f64().to_string()]);
    command
}

fn preview(tools: &Tools, target: SocketAddr, length: Duration) -> Result<Command> {
    let k6 = tools.k6.as_ref().context("k6 was not prepared")?;
    let mut command = Command::new(k6.program());
    command
        .args(["run", "--quiet", "--no-usage-report", "--no-color"])
        // No API port: another k6 may run beside this one.
        .args(["--address", ""])
        .args(["-e", &format!("TARGET=http://{target}")])
        .args(["-e", &format!("SECONDS={}", length.as_secs())])
        .arg(repository().join("deploy/k6/preview.js"))
        // Half of k6's p99 is its own garbage collector.
        .env("GOGC", "off");
    Ok(command)
}

fn saturation(tools: &Tools, target: SocketAddr, length: Duration) -> Result<Command> {
    let wrk = tools.wrk.as_ref().context("wrk was not prepared")?;
    let mut command = Command::new(wrk);
    command
        .args(["--threads", "1", "--latency"])
        .args(["--connections", &WRK_CONNECTIONS.to_string()])
        .args(["--duration", &format!("{}s", length.as_secs())])
        .arg("--script")
        .arg(repository().join("deploy/wrk/payments.lua"))
        .arg(format!("http://{target}"));
    Ok(command)
}
