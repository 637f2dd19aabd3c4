use anyhow::{Result, bail};
use feeway_machine::clock;

use crate::containers::stack::ContainerStack;
use crate::containers::standing;
use crate::plan::{Plan, ProcessPlan};
use crate::record::{ProcessRecord, Record};
use crate::stack_dir::StackDir;

/// Prints a line for each process. Fails unless all of them are ready.
pub fn run(dir: &StackDir) -> Result<()> {
    if print(dir)? {
        Ok(())
    } else {
        bail!("not every process is ready")
    }
}

/// A line of the table.
pub(crate) struct Row {
    pub(crate) name: String,
    /// Nothing while it does not run, as the two below.
    pub(crate) pid: Option<u32>,
    pub(crate) state: &'static str,
    pub(crate) up_seconds: Option<u64>,
    pub(crate) restarts: u64,
    pub(crate) memory_kib: Option<u64>,
    pub(crate) address: String,
}

/// Prints a line for each process and returns whether all of them are ready.
pub(crate) fn print(dir: &StackDir) -> Result<bool> {
    if let Some(stack) = ContainerStack::load(dir)? {
        return Ok(print_rows(&standing::rows(&stack)?));
    }
    let Some(record) = Record::load(dir)? else {
        bail!("nothing runs in {}", dir.path().display());
    };
    let plan = Plan::load(dir)?;
    let now = clock::unix_seconds();
    let processes = plan.processes.iter().zip(&record.processes);
    let rows: Vec<_> = processes
        .map(|(process, recorded)| row(dir, process, recorded, now))
        .collect();
    let all_ready = print_rows(&rows);
    if !record.supervisor.is_alive() {
        println!(
            "The supervisor is not running, so nothing is restarted. `cargo xtask down` cleans up."
        );
        return Ok(false);
    }
    Ok(all_ready)
}

fn row(dir: &StackDir, process: &ProcessPlan, recorded: &ProcessRecord, now: u64) -> Row {
    let alive = recorded.id.filter(|id| id.is_alive());
    let is_stopped = alive.is_none() && dir.is_held(&process.name);
    Row {
        name: process.name.clone(),
        pid: alive.map(|id| id.pid),
        state: if is_stopped {
            "stopped"
        } else {
            state(process, recorded)
        },
        up_seconds: alive.map(|_| now.saturating_sub(recorded.started_at)),
        restarts: recorded.restarts.into(),
        memory_kib: alive.and_then(|id| id.resident_kib()),
        address: process.address.text(),
    }
}

/// Prints the table and returns whether all are ready.
fn print_rows(rows: &[Row]) -> bool {
    println!(
        "{:26} {:>8} {:10} {:>9} {:>8} {:>8}  ADDRESS",
        "NAME", "PID", "STATE", "UP", "RESTARTS", "MEMORY"
    );
    let unknown = || "-".to_owned();
    for row in rows {
        let pid = row.pid.map_or_else(unknown, |pid| pid.to_string());
        let up = row.up_seconds.map_or_else(unknown, duration);
        let memory = row
            .memory_kib
            .map_or_else(unknown, |kib| format!("{} MiB", kib.div_ceil(1024)));
        println!(
            "{:26} {pid:>8} {:10} {up:>9} {:>8} {memory:>8}  {}",
            row.name, row.state, row.restarts, row.address
        );
    }
    rows.iter().all(|row| row.state == "ready")
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
