//! The standard figures of a process, read from `/proc/self`.

use std::fmt::{self, Write as _};
use std::fs;

use rustix::param::{clock_ticks_per_second, page_size};

/// What the kernel tells of this process at one moment. What it does not tell is left out.
#[derive(Debug, Default)]
pub(crate) struct ProcessFigures {
    cpu_seconds: Option<f64>,
    start_seconds: Option<f64>,
    threads: Option<u64>,
    virtual_bytes: Option<u64>,
    resident_bytes: Option<u64>,
    open_files: Option<u64>,
    max_files: Option<u64>,
}

impl ProcessFigures {
    pub(crate) fn read() -> Self {
        let mut figures = Self::default();
        if let Ok(stat) = fs::read_to_string("/proc/self/stat") {
            figures.take_stat(&stat);
        }
        if let Ok(limits) = fs::read_to_string("/proc/self/limits") {
            figures.max_files = soft_file_limit(&limits);
        }
        figures.open_files = fs::read_dir("/proc/self/fd")
            .ok()
            // The one that reads the folder is counted too.
            .map(|files| files.count().saturating_sub(1) as u64);
        figures
    }

    #[cfg(test)]
    pub(crate) fn resident() -> u64 {
        Self::read().resident_bytes.unwrap_or(0)
    }

    /// The second field is the program's name in brackets and may hold anything.
    fn take_stat(&mut self, stat: &str) {
        let Some((_, rest)) = stat.rsplit_once(") ") else {
            return;
        };
        let fields: Vec<&str> = rest.split(' ').collect();
        // Numbered as in proc_pid_stat(5); the third field is the first of these.
        let field = |number: usize| fields.get(number - 3)?.trim().parse::<u64>().ok();
        let seconds = |ticks: u64| ticks as f64 / clock_ticks_per_second() as f64;
        self.cpu_seconds = field(14)
            .zip(field(15))
            .map(|(user, system)| seconds(user.saturating_add(system)));
        self.threads = field(20);
        self.start_seconds = field(22)
            .zip(boot_seconds())
            .map(|(ticks, boot)| boot as f64 + seconds(ticks));
        self.virtual_bytes = field(23);
        self.resident_bytes = field(24).map(|pages| pages.saturating_mul(page_size() as u64));
    }
}

fn boot_seconds() -> Option<u64> {
    let stat = fs::read_to_string("/proc/stat").ok()?;
    stat.lines()
        .find_map(|line| line.strip_prefix("btime ")?.trim().parse().ok())
}

fn soft_file_limit(limits: &str) -> Option<u64> {
    let line = limits
        .lines()
        .find_map(|line| line.strip_prefix("Max open files"))?;
    line.split_whitespace().next()?.parse().ok()
}

/// In Prometheus's text format.
impl fmt::Display for ProcessFigures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let whole = |figure: Option<u64>| figure.map(|figure| figure as f64);
        for (name, kind, help, figure) in [
            (
                "process_cpu_seconds_total",
                "counter",
                "Total user and system CPU time spent in seconds.",
                self.cpu_seconds,
            ),
            (
                "process_start_time_seconds",
                "gauge",
                "Start time of the process since unix epoch in seconds.",
                self.start_seconds,
            ),
            (
                "process_threads",
                "gauge",
                "Number of OS threads in the process.",
                whole(self.threads),
            ),
            (
                "process_virtual_memory_bytes",
                "gauge",
                "Virtual memory size in bytes.",
                whole(self.virtual_bytes),
            ),
            (
                "process_resident_memory_bytes",
                "gauge",
                "Resident memory size in bytes.",
                whole(self.resident_bytes),
            ),
            (
                "process_open_fds",
                "gauge",
                "Number of open file descriptors.",
                whole(self.open_files),
            ),
            (
                "process_max_fds",
                "gauge",
                "Maximum number of open file descriptors.",
                whole(self.max_files),
            ),
        ] {
            let Some(figure) = figure else { continue };
            writeln!(f, "# HELP {name} {help}\n# TYPE {name} {kind}")?;
            writeln!(f, "{name} {figure}")?;
        }
        f.write_char('\n')
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_strange_program_name_does_not_move_the_fields() {
        let mut figures = ProcessFigures::default();
        let fields: Vec<String> = (4..=24).map(|number| number.to_string()).collect();
        figures.take_stat(&format!("7 (a) b (c) ) S {}", fields.join(" ")));
        assert_eq!(figures.threads, Some(20));
        assert_eq!(figures.virtual_bytes, Some(23));
        let pages = figures.resident_bytes.unwrap() / page_size() as u64;
        assert_eq!(pages, 24);
    }

    #[test]
    fn this_process_has_all_of_them() {
        let page = ProcessFigures::read().to_string();
        for name in [
            "process_cpu_seconds_total",
            "process_start_time_seconds",
            "process_threads",
            "process_virtual_memory_bytes",
            "process_resident_memory_bytes",
            "process_open_fds",
            "process_max_fds",
        ] {
            let line = page.lines().find(|line| line.starts_with(name));
            let figure = line.and_then(|line| line.split(' ').nth(1)?.parse::<f64>().ok());
            assert!(figure.is_some(), "{name}\n{page}");
        }
        let resident = ProcessFigures::read().resident_bytes.unwrap();
        assert!((1 << 20..1 << 32).contains(&resident), "{resident}");
    }
}
