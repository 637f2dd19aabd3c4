//! Writes `docs/commands.md`, so that it cannot say anything else than the programs.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};
use clap::{Args, CommandFactory};
use feeway_machine::binaries::{Binaries, Profile};
use feeway_machine::files::repository;

use crate::CommandLine;

const PAGE: &str = "docs/commands.md";

const INTRODUCTION: &str = "\
# Commands and options

This page is the `--help` of each program. `cargo xtask docs` writes it.

Where an option names an environment variable (`env:`), the variable sets it as well. The command line takes precedence. A wrong value is reported in one line, and the program exits with 64.

`cargo bench` runs the benches: see [measuring](measuring.md#benches). `cargo fuzz` runs the fuzz targets: see
[measuring](measuring.md#fuzzing).
";

/// The programs of a stack, and what for.
const PROGRAMS: [&str; 5] = [
    "feeway-front",
    "feeway-leader",
    "feeway-ctl",
    "feeway-certify",
    "feeway-simulator",
];

#[derive(Args, Debug)]
pub(crate) struct DocsOptions {
    /// Write nothing, and fail if the page is out of date
    #[arg(long)]
    check: bool,
}

/// Writes the page, or compares it.
pub(crate) fn run(options: &DocsOptions) -> Result<()> {
    let page = page()?;
    let path = repository().join(PAGE);
    if options.check {
        if fs::read_to_string(&path).is_ok_and(|found| found == page) {
            return Ok(());
        }
        bail!("{PAGE} is out of date: run `cargo xtask docs`");
    }
    fs::write(&path, page).with_context(|| format!("cannot write {PAGE}"))?;
    println!("{PAGE} is written");
    Ok(())
}

fn page() -> Result<String> {
    let mut page = INTRODUCTION.to_owned();
    let mut xtask = CommandLine::command();
    xtask.build();
    add(
        &mut page,
        2,
        "cargo xtask",
        &xtask.render_long_help().to_string(),
    )?;
    for command in xtask.get_subcommands_mut() {
        if command.is_hide_set() || command.get_name() == "help" {
            continue;
        }
        let name = format!("cargo xtask {}", command.get_name());
        add(&mut page, 3, &name, &command.render_long_help().to_string())?;
    }
    let programs = Binaries::compile(Profile::Dev)?;
    for name in PROGRAMS {
        let program = programs.get(name).with_context(|| format!("no {name}"))?;
        let help = help(program, &[])?;
        add(&mut page, 2, name, &help)?;
        for command in commands(&help) {
            let help = self::help(program, &[command])?;
            add(&mut page, 3, &format!("{name} {command}"), &help)?;
        }
    }
    Ok(page)
}

fn add(page: &mut String, level: usize, name: &str, help: &str) -> Result<()> {
    let lines: Vec<&str> = help.lines().map(str::trim_end).collect();
    let help = lines.join("\n");
    let head = "#".repeat(level);
    write!(page, "\n{head} {name}\n\n```text\n{}\n```\n", help.trim())?;
    Ok(())
}

/// What a program says, whatever is set in this environment.
fn help(program: &Path, command: &[&str]) -> Result<String> {
    let output = Command::new(program)
        .args(command)
        .arg("--help")
        .env_clear()
        .output()
        .with_context(|| format!("cannot run {}", program.display()))?;
    if !output.status.success() {
        bail!("{} --help: {}", program.display(), output.status);
    }
    String::from_utf8(output.stdout).context("--help is not UTF-8")
}

/// The commands that a help lists.
fn commands(help: &str) -> impl Iterator<Item = &str> {
    let list = help.split("Commands:\n").nth(1).unwrap_or_default();
    let lines = list.lines().take_while(|line| !line.is_empty());
    let names = lines.filter_map(|line| line.split_whitespace().next());
    names.filter(|name| *name != "help")
}
