//! Prometheus and its checker, which only tests need.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use feeway_machine::files::repository;
use feeway_machine::programs::find;

/// Where the tests look for them besides the PATH.
const FOLDER: &str = "target/tools/prometheus";

/// Both come with the Debian package of the first one's name.
const PROGRAMS: [&str; 2] = ["prometheus", "promtool"];

/// Sees to it that the tests find both programs. The package is only unpacked beside the
/// build: installed, it would start a service and bring its web pages' libraries.
pub(super) fn find_or_unpack() -> Result<()> {
    let folder = repository().join(FOLDER);
    let is_there = || {
        let unpacked = |program: &&str| folder.join("usr/bin").join(program).is_file();
        PROGRAMS.iter().all(|program| find(program).is_some()) || PROGRAMS.iter().all(unpacked)
    };
    if is_there() {
        return Ok(());
    }
    println!("Unpacking Prometheus into {FOLDER} …");
    fs::create_dir_all(&folder)?;
    download(&folder)?;
    for entry in fs::read_dir(&folder)? {
        let package = entry?.path();
        if package
            .extension()
            .is_some_and(|extension| extension == "deb")
        {
            let mut unpack = Command::new("dpkg-deb");
            unpack.arg("--extract").arg(&package).arg(&folder);
            run(unpack)?;
            fs::remove_file(package)?;
        }
    }
    if !is_there() {
        bail!(
            "the package prometheus does not contain {}",
            PROGRAMS.join(" and no ")
        );
    }
    Ok(())
}

/// A machine that was never told of packages has to ask for the list first, which only root
/// may do.
fn download(folder: &Path) -> Result<()> {
    let apt_get = |words: &[&str]| {
        let mut command = Command::new("apt-get");
        command.arg("--quiet").args(words).current_dir(folder);
        run(command)
    };
    let download = ["download", PROGRAMS[0]];
    apt_get(&download).or_else(|_no_list| {
        apt_get(&["update"])?;
        apt_get(&download)
    })
}

fn run(mut command: Command) -> Result<()> {
    let program = command.get_program().to_string_lossy().into_owned();
    let output = command
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("cannot run {program}"))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        bail!("{program} failed ({}): {}", output.status, said.trim());
    }
    Ok(())
}
