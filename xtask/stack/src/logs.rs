use std::collections::VecDeque;
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, IsTerminal, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use clap::Args;
use feeway_machine::docker::Engine;

use crate::containers::compose::Compose;
use crate::containers::stack::ContainerStack;
use crate::stack_dir::StackDir;

const LOOK_EVERY: Duration = Duration::from_millis(200);

/// Whose logs are printed, and how much of them.
#[derive(Args, Debug)]
pub struct LogsOptions {
    /// The name of the process, as in `status`; without it, every log
    name: Option<String>,
    /// Follow the logs until Ctrl-C
    #[arg(short, long)]
    follow: bool,
    /// How many of the last lines of each log to print
    #[arg(short = 'n', long, default_value_t = 50)]
    lines: usize,
}

/// Prints the last lines of one log or of all.
pub fn run(dir: &StackDir, options: &LogsOptions) -> Result<()> {
    if let Some(stack) = ContainerStack::load(dir)? {
        return print_containers(dir, &stack, options);
    }
    let logs = find_logs(dir, options.name.as_deref())?;
    let width = logs.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    let several = logs.len() > 1;
    let print = |name: &str, line: &str| {
        let text = if several {
            format!("{name:width$} | {line}\n")
        } else {
            format!("{line}\n")
        };
        // A reader that has seen enough, as `head` does, is no error.
        io::stdout().write_all(text.as_bytes()).is_ok()
    };
    let mut tails = Vec::new();
    for (name, path) in logs {
        for line in last_lines(&path, options.lines)? {
            if !print(&name, &line) {
                return Ok(());
            }
        }
        tails.push((name, Tail::at_end(path)?));
    }
    if !options.follow {
        return Ok(());
    }
    loop {
        thread::sleep(LOOK_EVERY);
        for (name, tail) in &mut tails {
            for line in tail.new_lines()? {
                if !print(name, &line) {
                    return Ok(());
                }
            }
        }
    }
}

/// Leaves it to Docker, which keeps what containers say.
fn print_containers(dir: &StackDir, stack: &ContainerStack, options: &LogsOptions) -> Result<()> {
    let mut commands = Vec::new();
    if let Some(name) = &options.name {
        let container = stack.container(&Engine::find()?, name)?;
        let mut command = Command::new("docker");
        command.arg("logs");
        commands.push((command, Some(container.id)));
    } else {
        for mut command in stack.commands(dir, Compose::find()?) {
            command.arg("logs");
            command.args((!io::stdout().is_terminal()).then_some("--no-color"));
            commands.push((command, None));
        }
    }
    let mut shown = Vec::new();
    for (mut command, container) in commands {
        command.args(["--tail", &options.lines.to_string()]);
        command.args(options.follow.then_some("--follow"));
        command.args(container);
        shown.push(command.spawn().context("cannot run docker")?);
    }
    for mut child in shown {
        child.wait()?;
    }
    Ok(())
}

fn find_logs(dir: &StackDir, name: Option<&str>) -> Result<Vec<(String, PathBuf)>> {
    let mut logs = Vec::new();
    if let Ok(entries) = fs::read_dir(dir.logs()) {
        for entry in entries {
            let path = entry?.path();
            if path.extension().is_some_and(|extension| extension == "log")
                && let Some(stem) = path.file_stem().and_then(|stem| stem.to_str())
            {
                logs.push((stem.to_owned(), path.clone()));
            }
        }
    }
    logs.sort();
    if logs.is_empty() {
        bail!("there are no logs in {}", dir.logs().display());
    }
    let Some(name) = name else {
        return Ok(logs);
    };
    let names: Vec<&str> = logs.iter().map(|(name, _)| name.as_str()).collect();
    if !names.contains(&name) {
        bail!(
            "there is no log of {name}; there are logs of {}",
            names.join(", ")
        );
    }
    logs.retain(|(each, _)| each == name);
    Ok(logs)
}

/// The last lines of a text file, in order.
pub(crate) fn last_lines(path: &Path, count: usize) -> io::Result<Vec<String>> {
    let mut lines = VecDeque::new();
    for line in BufReader::new(File::open(path)?).split(b'\n') {
        lines.push_back(String::from_utf8_lossy(&line?).into_owned());
        if lines.len() > count {
            lines.pop_front();
        }
    }
    Ok(lines.into())
}

/// The growing end of a log.
pub(crate) struct Tail {
    path: PathBuf,
    seen_bytes: u64,
}

impl Tail {
    /// From its present end on.
    pub(crate) fn at_end(path: PathBuf) -> io::Result<Self> {
        let seen_bytes = match fs::metadata(&path) {
            Ok(metadata) => metadata.len(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => 0,
            Err(error) => return Err(error),
        };
        Ok(Self { path, seen_bytes })
    }

    /// The whole lines that were written since the last call. After a cut it begins anew.
    pub(crate) fn new_lines(&mut self) -> io::Result<Vec<String>> {
        let mut file = match File::open(&self.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            opened => opened?,
        };
        if file.metadata()?.len() < self.seen_bytes {
            self.seen_bytes = 0;
        }
        file.seek(SeekFrom::Start(self.seen_bytes))?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        let whole = bytes.iter().rposition(|&byte| byte == b'\n');
        bytes.truncate(whole.map_or(0, |newline| newline + 1));
        self.seen_bytes += bytes.len() as u64;
        let text = String::from_utf8_lossy(&bytes);
        Ok(text.lines().map(str::to_owned).collect())
    }
}

#[cfg(test)]
mod tests {
    use std::fs::OpenOptions;

    use super::*;

    #[test]
    fn a_tail_gives_whole_lines_once_and_survives_a_cut() {
        let path = std::env::temp_dir().join(format!("feeway-tail-{}.log", std::process::id()));
        fs::write(&path, "before\n").unwrap();
        let mut tail = Tail::at_end(path.clone()).unwrap();
        let mut file = OpenOptions::new().append(true).open(&path).unwrap();
        file.write_all(b"one\ntwo\nhal").unwrap();
        assert_eq!(tail.new_lines().unwrap(), ["one", "two"]);
        file.write_all(b"f\n").unwrap();
        assert_eq!(tail.new_lines().unwrap(), ["half"]);
        assert_eq!(last_lines(&path, 2).unwrap(), ["two", "half"]);
        file.set_len(0).unwrap();
        file.write_all(b"new\n").unwrap();
        assert_eq!(tail.new_lines().unwrap(), ["new"]);
        fs::remove_file(&path).unwrap();
        assert_eq!(tail.new_lines().unwrap(), Vec::<String>::new());
    }
}
