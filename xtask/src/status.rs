use anyhow::{Result, bail};

use crate::clock;
use crate::plan::{Plan, ProcessPlan};
use crate::record::{ProcessRecord, Record};
use crate::stack_dir::StackDir;

/// Prints a line for each process. Fails unless all of them are ready.
pub(crate) fn run(dir: &StackDir) -> Result<()> {
    if print(dir)? {
        Ok(())
    } else {
        bail!("not every process is ready")
    }
}

/// Prints a line for each process and returns whether all of them are ready.
pub(crate) fn print(dir: &StackDir) -> Result<bool> {
    let Some(record) = Record::load(dir)? else {
        bail!("nothing runs in {}", dir.path().display());
    };
    let plan = Plan::load(dir)?;
    let now = clock::unix_seconds();
    println!(
        "{:20} {:>8} {:10} {:>9} {:>8} {:>8}  ADDRESS",
        "NAME", "PID", "STATE", "UP", "RESTARTS", "MEMORY"
    );
    let mut all_ready = true;
    for (process, recorded) in plan.processes.iter().zip(&record.processes) {
        let state = state(process, recorded);
        all_ready &= state == "ready";
        let alive = recorded.id.filter(|id| id.is_alive());
        let pid = alive.map_or_else(|| "-".to_owned(), |id| id.pid.to_string());
        let up = alive.map_or_else(
            || "-".to_owned(),
            |_| duration(now.saturating_sub(recorded.started_at)),
        );
        let memory = alive.and_then(|id| id.resident_kib()).map_or_else(
            || "-".to_owned(),
            |kib| format!("{} MiB", kib.div_ceil(1024)),
        );
        println!(
            "{:20} {pid:>8} {state:10} {up:>9} {:>8} {memory:>8}  {}",
            process.name,
            recorded.restarts,
            process.address.text()
        );
    }
    if !record.supervisor.is_alive() {
        println!("The supervisor is gone: nothing is started again. `cargo xtask down` cleans up.");
        all_ready = false;
    }
    Ok(all_ready)
}

fn state(process: &ProcessPlan, recorded: &ProcessRecord) -> &'static str {
    if !recorded.id.is_some_and(|id| id.is_alive()) {
        "down"
    } else if process.readiness.ask() {
        "ready"
    } else {
        "not ready"
    }
}

fn duration(seconds: u64) -> String {
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3600 % 24, seconds / 60 % 60);
    if days > 0 {
        format!("{days}d{hours:02}h")
    } else if hours > 0 {
        format!("{hours}h{minutes:02}m")
    } else {
        format!("{minutes}m{:02}s", seconds % 60)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_show_their_two_largest_units() {
        let check = |seconds, expected: &str| assert_eq!(duration(seconds), expected);
        check(0, "0m00s");
        check(61, "1m01s");
        check(3600 + 120, "1h02m");
        check(2 * 86_400 + 5 * 3600, "2d05h");
    }
}
