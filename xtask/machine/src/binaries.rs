use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use clap::ValueEnum;
use serde_json::Value;

use crate::files::{remove_if_there, repository};

const PACKAGES: [&str; 5] = [FRONT, LEADER, SIMULATOR, "feeway-ctl", "feeway-certify"];

/// What a stack runs.
const OF_A_STACK: [&str; 3] = [FRONT, LEADER, SIMULATOR];

const FRONT: &str = "feeway-front";
const LEADER: &str = "feeway-leader";
const SIMULATOR: &str = "feeway-simulator";

/// How the product is compiled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Profile {
    /// Fully optimised, for real use.
    Release,
    /// Quick to build, for tests.
    Dev,
}

/// Where the stack's own programs are.
pub struct Binaries {
    /// `feeway-front`.
    pub front: PathBuf,
    /// `feeway-leader`.
    pub leader: PathBuf,
    /// `feeway-simulator`.
    pub simulator: PathBuf,
}

/// A cargo command in the repository, with the toolchain that runs now.
pub fn cargo() -> Command {
    cargo_in(repository())
}

/// The same in another tree of sources.
fn cargo_in(tree: &Path) -> Command {
    let program = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(program);
    command.current_dir(tree).stdin(Stdio::null());
    // What `cargo run` says of the package it runs is no business of this build, and build
    // scripts that watch it (ring's) would compile their packages again.
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if text.starts_with("CARGO_PKG_") || text.starts_with("CARGO_MANIFEST_") {
            command.env_remove(&name);
        }
    }
    command
}

/// Runs a build, shows its progress, and returns the JSON messages it writes.
pub fn messages(mut command: Command) -> Result<Vec<Value>> {
    let mut child = command
        .arg("--message-format=json-render-diagnostics")
        .stdout(Stdio::piped())
        .spawn()
        .context("cannot run cargo")?;
    let stdout = child.stdout.take().context("cargo has no output")?;
    let mut messages = Vec::new();
    for line in BufReader::new(stdout).lines() {
        messages.push(serde_json::from_str(&line?).context("cargo did not write JSON")?);
    }
    if !child.wait()?.success() {
        bail!("the build failed");
    }
    Ok(messages)
}

/// Names a folder in which all programs of the dev profile lie, up to date. `cargo xtask test` sets
/// it for what it starts: cargo would compile much of the same again, with the features of fewer
/// packages.
pub const BUILT: &str = "FEEWAY_BUILT_PROGRAMS";

/// Builds the programs of these packages where cargo puts them. Gives back where each is, by its
/// name.
pub fn compile(profile: Profile, packages: &[&str]) -> Result<BTreeMap<String, PathBuf>> {
    match std::env::var_os(BUILT) {
        Some(folder) if profile == Profile::Dev => programs_in(Path::new(&folder)),
        _ => compile_by(cargo(), profile, packages),
    }
}

/// Everything that cargo left in its folder and can be run.
fn programs_in(folder: &Path) -> Result<BTreeMap<String, PathBuf>> {
    let mut found = BTreeMap::new();
    for entry in
        fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))?
    {
        let path = entry?.path();
        if let Some(name) = path.file_name().and_then(OsStr::to_str)
            && name.starts_with("feeway-")
            && path.extension().is_none()
        {
            found.insert(name.to_owned(), path);
        }
    }
    Ok(found)
}

/// Builds all programs and all tests with one set of features, and tells the tools that it starts
/// where they are.
pub fn compile_with_tests() -> Result<PathBuf> {
    println!("\nBuilding programs and tests …");
    let mut command = cargo();
    command.args(["build", "--workspace", "--bins", "--tests"]);
    let built = executables(command)?;
    let front = built.get(FRONT).context("the build made no front")?;
    let folder = front.parent().context("cargo puts it into a folder")?;
    Ok(folder.to_owned())
}

fn compile_by(
    mut command: Command,
    profile: Profile,
    packages: &[&str],
) -> Result<BTreeMap<String, PathBuf>> {
    let profile = match profile {
        Profile::Release => "release",
        Profile::Dev => "dev",
    };
    println!("Building ({profile}) …");
    command.args(["build", "--bins", "--profile", profile]);
    for package in packages {
        command.args(["--package", package]);
    }
    executables(command)
}

fn executables(command: Command) -> Result<BTreeMap<String, PathBuf>> {
    let mut built = BTreeMap::new();
    for message in messages(command)? {
        if let Some(path) = message["executable"].as_str()
            && message["profile"]["test"] != Value::Bool(true)
            && let Some(name) = message["target"]["name"].as_str()
        {
            built.insert(name.to_owned(), PathBuf::from(path));
        }
    }
    Ok(built)
}

impl Binaries {
    /// Builds the programs where cargo puts them.
    pub fn compile(profile: Profile) -> Result<BTreeMap<String, PathBuf>> {
        compile(profile, &PACKAGES)
    }

    /// Builds the programs and copies them to a folder of the stack's own: a later build
    /// must not change or remove what a running stack starts again.
    pub fn build(profile: Profile, into: &Path) -> Result<Self> {
        let built = Self::compile(profile)?;
        copy(&built, &PACKAGES, into)?;
        Self::built(into)
    }

    /// As [`Self::build`] from another tree of sources, by its own `Cargo.lock`. What cargo makes
    /// of it stays in a folder apart from this repository's.
    pub fn build_tree(tree: &Path, target: &Path, profile: Profile, into: &Path) -> Result<Self> {
        let mut command = cargo_in(tree);
        command.arg("--locked").env("CARGO_TARGET_DIR", target);
        // The same packages at once as here, as far as there were such: they share the features
        // of what they depend on.
        let packages: Vec<&str> = PACKAGES
            .into_iter()
            .filter(|package| has_package(tree, package))
            .collect();
        let built = compile_by(command, profile, &packages)?;
        copy(&built, &packages, into)?;
        Self::built(into)
    }

    /// Copies what a stack runs from the folder of another one.
    pub fn copy(from: &Path, into: &Path) -> Result<()> {
        let programs = OF_A_STACK.map(|name| (name.to_owned(), from.join(name)));
        copy(&BTreeMap::from(programs), &OF_A_STACK, into)
    }

    /// The programs that [`Self::build`] left in this folder.
    pub fn built(folder: &Path) -> Result<Self> {
        let program = |name: &str| {
            let path = folder.join(name);
            if path.is_file() {
                Ok(path)
            } else {
                bail!("{} was not built", path.display())
            }
        };
        Ok(Self {
            front: program(FRONT)?,
            leader: program(LEADER)?,
            simulator: program(SIMULATOR)?,
        })
    }
}

/// Whether a tree of sources has a package of ours, whose folder leaves out our name.
fn has_package(tree: &Path, package: &str) -> bool {
    let folder = package.trim_start_matches("feeway-");
    tree.join("crates").join(folder).is_dir()
}

fn copy(built: &BTreeMap<String, PathBuf>, names: &[&str], into: &Path) -> Result<()> {
    for name in names {
        let from = built
            .get(*name)
            .with_context(|| format!("the build did not produce {name}"))?;
        let to = into.join(name);
        // A program that runs cannot be written to, but its name can be given anew.
        remove_if_there(&to)?;
        fs::copy(from, &to).with_context(|| format!("cannot copy {name}"))?;
    }
    Ok(())
}
