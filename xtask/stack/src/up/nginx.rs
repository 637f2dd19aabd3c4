use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result};
use feeway_machine::files::repository;
use feeway_machine::programs;
use feeway_machine::readiness::Readiness;
use rustix::process::geteuid;

use super::stack_plan::{loopback, strings, text};
use crate::plan::{ProcessPlan, Stage, StopSignal};
use crate::stack_dir::StackDir;

/// What the configuration of the container says and a stack of processes has otherwise.
const PORT: &str = "listen 9999";
const FRONT: &str = "server unix:/run/feeway/front-";

/// nginx as the entrance, with a configuration and a folder of its own.
pub(super) fn plan(dir: &StackDir, port: u16, fronts: &[PathBuf]) -> Result<ProcessPlan> {
    let program = programs::find_or_install("nginx")?;
    let from = repository().join("deploy/nginx.conf");
    let configuration =
        fs::read_to_string(&from).with_context(|| format!("cannot read {}", from.display()))?;
    let to = dir.configuration().join("nginx.conf");
    fs::write(&to, adapt(&configuration, port, fronts)?)?;
    let folder = dir.path().join("nginx");
    fs::create_dir_all(&folder)?;
    let mut arguments = strings(&[
        "-e",
        "stderr",
        "-p",
        &format!("{}/", text(&folder)),
        "-c",
        &text(&to),
    ]);
    if geteuid().is_root() {
        // Else it would serve as nobody, who may not enter the folder of the sockets.
        arguments.extend(strings(&["-g", "user root;"]));
    }
    let at = loopback(port);
    Ok(ProcessPlan {
        name: "nginx".to_owned(),
        stage: Stage::Entrance,
        program,
        arguments,
        environment: BTreeMap::new(),
        address: at.clone(),
        readiness: Readiness::HttpOk {
            at,
            path: "/payments-summary".to_owned(),
            header: None,
        },
        stop_signal: StopSignal::Quit,
    })
}

/// Puts in a port and sockets.
fn adapt(configuration: &str, port: u16, fronts: &[PathBuf]) -> Result<String> {
    let line = configuration
        .lines()
        .find(|line| line.trim().starts_with(FRONT));
    let line = line.context("nginx.conf names no front")?;
    let (_socket, settings) = line
        .trim()
        .trim_start_matches("server ")
        .split_once(' ')
        .context("nginx.conf says nothing of a front's failures")?;
    let servers = fronts
        .iter()
        .map(|socket| format!("server unix:{} {settings}", socket.display()));
    let mut servers = Some(servers.collect::<Vec<_>>().join("\n        "));
    let mut adapted = String::new();
    for line in configuration.lines() {
        if line.trim().starts_with(FRONT) {
            // All of them stand where the first one did.
            if let Some(servers) = servers.take() {
                adapted.push_str(&format!("        {servers}\n"));
            }
        } else {
            adapted.push_str(&line.replace(PORT, &format!("listen {port}")));
            adapted.push('\n');
        }
    }
    Ok(adapted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_front_and_the_port_of_the_stack_are_put_in() {
        let path = repository().join("deploy/nginx.conf");
        let configuration = fs::read_to_string(path).unwrap();
        let fronts = ["/s/a.sock", "/s/b.sock", "/s/c.sock"].map(PathBuf::from);
        let adapted = adapt(&configuration, 1234, &fronts).unwrap();
        for front in &fronts {
            let server = format!("server unix:{} max_fails", front.display());
            assert_eq!(adapted.matches(&server).count(), 1, "{server}");
        }
        assert!(!adapted.contains("/run/feeway"));
        assert!(adapted.contains("listen 1234 backlog"), "{adapted}");
        assert!(!adapted.contains("9999"), "{adapted}");
    }
}
