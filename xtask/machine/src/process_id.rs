use std::fs;

use anyhow::{Context, Result};
use rustix::io::Errno;
use rustix::param::clock_ticks_per_second;
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use serde::{Deserialize, Serialize};

/// One process, for good: its number and when it started.
///
/// Numbers are used again by the system, so a number alone must never be killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProcessId {
    /// The number that the system gave it.
    pub pid: u32,
    /// Field 22 of `/proc/PID/stat`: clock ticks after the machine's start.
    start_ticks: u64,
}

impl ProcessId {
    /// The process that has this number now.
    pub fn of(pid: u32) -> Result<Self> {
        let (_, start_ticks) =
            read_stat(pid).with_context(|| format!("process {pid} is not there"))?;
        Ok(Self { pid, start_ticks })
    }

    /// Whether it still runs. One that has ended and waits to be reaped does not.
    pub fn is_alive(self) -> bool {
        read_stat(self.pid).is_some_and(|(state, start_ticks)| {
            start_ticks == self.start_ticks && !matches!(state, 'Z' | 'X')
        })
    }

    /// Sends a signal, if the process is still there. It goes through a handle of the process, so
    /// it reaches nobody who got the number meanwhile.
    pub fn signal(self, signal: Signal) -> Result<()> {
        let pid = i32::try_from(self.pid)
            .ok()
            .and_then(Pid::from_raw)
            .context("not a process number")?;
        let sent = pidfd_open(pid, PidfdFlags::empty()).and_then(|handle| {
            // Whoever has the number now is whom the handle is of.
            if self.is_alive() {
                pidfd_send_signal(handle, signal)
            } else {
                Ok(())
            }
        });
        match sent {
            Ok(()) | Err(Errno::SRCH) => Ok(()),
            Err(error) => Err(error).with_context(|| format!("cannot signal process {}", self.pid)),
        }
    }

    /// Resident memory in KiB.
    pub fn resident_kib(self) -> Option<u64> {
        self.status_kib("VmRSS:")
    }

    /// The most that its resident memory has ever been, in KiB.
    pub fn peak_resident_kib(self) -> Option<u64> {
        self.status_kib("VmHWM:")
    }

    fn status_kib(self, name: &str) -> Option<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid)).ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix(name))?;
        line.trim().strip_suffix("kB")?.trim().parse().ok()
    }

    /// The seconds of CPU that its threads have used so far, also in the kernel.
    pub fn cpu_seconds(self) -> Option<f64> {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.pid)).ok()?;
        let (_, fields) = stat.rsplit_once(") ")?;
        // Fields 14 and 15; the state, which comes first here, is field 3.
        let mut fields = fields.split(' ').skip(14 - 3);
        let mut ticks = || fields.next()?.parse::<u32>().ok();
        let ticks = f64::from(ticks()?) + f64::from(ticks()?);
        Some(ticks / clock_ticks_per_second() as f64)
    }
}

/// State and start of a process. Its name stands in parentheses and may hold anything,
/// so the fields are counted from the last parenthesis.
fn read_stat(pid: u32) -> Option<(char, u64)> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, fields) = stat.rsplit_once(") ")?;
    let mut fields = fields.split(' ');
    let state = fields.next()?.chars().next()?;
    // The state is field 3.
    let start_ticks = fields.nth(22 - 4)?.parse().ok()?;
    Some((state, start_ticks))
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use super::*;

    #[test]
    fn a_process_is_alive_until_it_has_ended_even_before_it_is_reaped() {
        let mut child = Command::new("cat")
            .stdin(Stdio::piped())
            .spawn()
            .expect("cat is everywhere");
        let id = ProcessId::of(child.id()).unwrap();
        assert!(id.is_alive());
        assert!(id.resident_kib().is_some_and(|kib| kib > 0));
        id.signal(Signal::KILL).unwrap();
        while id.is_alive() {
            std::thread::yield_now();
        }
        child.wait().unwrap();
        assert!(!id.is_alive());
    }

    #[test]
    fn memory_and_time_of_a_process_are_read() {
        let own = ProcessId::of(std::process::id()).unwrap();
        // Asked in this order: it may grow meanwhile.
        let now = own.resident_kib();
        assert!(own.peak_resident_kib() >= now);
        let before = own.cpu_seconds().unwrap();
        while own.cpu_seconds().unwrap() <= before {
            std::hint::spin_loop();
        }
    }

    #[test]
    fn a_number_that_was_used_again_is_another_process() {
        let own = ProcessId::of(std::process::id()).unwrap();
        let earlier = ProcessId {
            start_ticks: own.start_ticks - 1,
            ..own
        };
        assert!(own.is_alive());
        assert!(!earlier.is_alive());
        earlier.signal(Signal::KILL).unwrap();
    }
}
