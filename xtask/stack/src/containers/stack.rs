use std::collections::BTreeMap;
use std::fs;
use std::process::Command;

use anyhow::{Context, Result, bail};
use feeway_machine::docker::{Container, Engine};
use feeway_machine::files::{read_if_there, remove_if_there, repository, write_whole};
use serde::{Deserialize, Serialize};

use super::compose::{Compose, Project, run_logged};
use crate::stack_dir::StackDir;

/// What the folder of the project itself has: a checkout runs one such stack.
const DEFAULT_PROJECT: &str = "feeway";

/// The network on which processors are found unless the stack brings its own.
const PROCESSOR_NETWORK: &str = "payment-processor";

/// The log of what compose says.
const COMPOSE_LOG: &str = "compose";

/// Where a stack's copies of `compose.yaml` and of what it mounts are.
const COMPOSE_FILE: &str = "compose.yaml";
pub(super) const SIMULATORS_FILE: &str = "deploy/compose.simulators.yaml";

/// A stack in containers, written down in its folder as long as it may run.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ContainerStack {
    /// What compose calls it.
    pub(crate) project: String,
    /// Its files after `compose.yaml`, each of which changes what the one before says.
    pub(crate) overrides: Vec<String>,
    pub(crate) simulators: bool,
    /// What the files are filled in with.
    pub(crate) environment: BTreeMap<String, String>,
    /// What a person may want to open: label and URL.
    pub(crate) urls: Vec<(String, String)>,
    /// The ports of this machine at which members are reached, by the names that a native
    /// stack has for them.
    pub(crate) ports: BTreeMap<String, u16>,
}

impl ContainerStack {
    /// The stack of this folder, if one was started there in containers and not stopped.
    pub(crate) fn load(dir: &StackDir) -> Result<Option<Self>> {
        read_if_there(&dir.containers())
    }

    pub(super) fn save(&self, dir: &StackDir) -> Result<()> {
        let text = serde_json::to_string_pretty(self)?;
        write_whole(&dir.containers(), &text).context("cannot save the record of the stack")
    }

    fn simulators_project(&self) -> String {
        format!("{}-processors", self.project)
    }

    /// Every container of the stack, also of its simulators.
    pub fn containers(&self, engine: &Engine) -> Result<Vec<Container>> {
        let mut containers = engine.containers(&self.project)?;
        if self.simulators {
            containers.extend(engine.containers(&self.simulators_project())?);
        }
        Ok(containers)
    }

    /// The container of a service.
    pub fn container(&self, engine: &Engine, name: &str) -> Result<Container> {
        let containers = self.containers(engine)?;
        let names: Vec<_> = containers.iter().map(|each| each.service.clone()).collect();
        let named = containers.into_iter().find(|each| each.service == name);
        named.with_context(|| format!("there is no {name}; there are {}", names.join(", ")))
    }

    /// The commands of compose for each of its projects, up to the word that says what to do:
    /// the simulators first, if it has them.
    pub(crate) fn commands(&self, dir: &StackDir, compose: Compose) -> Vec<Command> {
        let file = |name: &str| dir.configuration().join(name);
        let mut files = vec![file(COMPOSE_FILE)];
        files.extend(self.overrides.iter().map(|name| file(name)));
        let simulators = self.simulators_project();
        let mut projects = Vec::new();
        if self.simulators {
            projects.push((&simulators, vec![file(SIMULATORS_FILE)]));
        }
        projects.push((&self.project, files));
        let projects = projects.into_iter().map(|(name, files)| Project {
            name,
            files,
            environment: &self.environment,
        });
        projects.map(|project| compose.command(&project)).collect()
    }

    /// Creates and starts everything; it need not be ready then.
    pub(super) fn start(&self, dir: &StackDir) -> Result<()> {
        for mut command in self.commands(dir, Compose::find()?) {
            command.args(["up", "--detach", "--no-build", "--remove-orphans"]);
            run_logged(command, &dir.log(COMPOSE_LOG))?;
        }
        Ok(())
    }

    /// Stops everything in good order and removes it, but for the volume with the payments
    /// and the logs, which are copied to the stack's folder.
    pub(crate) fn stop(&self, dir: &StackDir) -> Result<()> {
        let engine = Engine::find()?;
        fs::create_dir_all(dir.logs())?;
        // The entrance first: compose ends it before what it depends on.
        let mut commands = self.commands(dir, Compose::find()?);
        commands.reverse();
        for command in &mut commands {
            command.args(["stop"]);
        }
        for command in commands {
            run_logged(command, &dir.log(COMPOSE_LOG))?;
        }
        for container in self.containers(&engine)? {
            container.save_log(&dir.log(&container.service))?;
        }
        let mut commands = self.commands(dir, Compose::find()?);
        commands.reverse();
        for mut command in commands {
            command.args(["down", "--remove-orphans"]);
            run_logged(command, &dir.log(COMPOSE_LOG))?;
        }
        remove_if_there(&dir.containers())?;
        Ok(())
    }
}

/// What compose calls the stack of a folder, and the network of its processors.
pub(super) fn names(dir: &StackDir) -> Result<(String, String)> {
    let default = StackDir::new(None)?;
    if dir.path() == default.path() {
        return Ok((DEFAULT_PROJECT.to_owned(), PROCESSOR_NETWORK.to_owned()));
    }
    // The last part is for people, the sum of the whole path tells stacks apart.
    let path = dir.path().to_string_lossy();
    let name = dir.path().file_name().unwrap_or_default().to_string_lossy();
    let name: String = name
        .to_ascii_lowercase()
        .chars()
        .filter(|letter| letter.is_ascii_alphanumeric() || *letter == '-')
        .take(32)
        .collect();
    let project = format!("{DEFAULT_PROJECT}-{name}-{:08x}", sum(&path));
    let network = format!("{project}-processors");
    Ok((project, network))
}

/// FNV-1a: the same in every build.
fn sum(text: &str) -> u32 {
    text.bytes().fold(0x811c_9dc5, |sum, byte| {
        (sum ^ u32::from(byte)).wrapping_mul(0x0100_0193)
    })
}

/// Forgets the payments of a stack that is down, if it ever ran in containers.
pub(crate) fn wipe(dir: &StackDir) -> Result<()> {
    // Where there is no engine there are no volumes.
    let Ok(engine) = Engine::find() else {
        return Ok(());
    };
    engine.remove_volumes(&names(dir)?.0)
}

/// Copies the compose files and what they mount: an edit must not change what runs.
pub(super) fn copy_files(dir: &StackDir, overrides: &[String]) -> Result<()> {
    let always = [
        COMPOSE_FILE,
        "haproxy.cfg",
        "deploy/redis.conf",
        "deploy/nats.conf",
        "deploy/nginx.conf",
        SIMULATORS_FILE,
    ];
    let files = always
        .into_iter()
        .chain(overrides.iter().map(String::as_str));
    fs::create_dir_all(dir.configuration().join("deploy"))?;
    for name in files {
        let from = repository().join(name);
        fs::copy(&from, dir.configuration().join(name))
            .with_context(|| format!("cannot copy {}", from.display()))?;
    }
    Ok(())
}

/// Fails with the way out if a stack in containers runs in this folder.
pub(crate) fn refuse_second(dir: &StackDir) -> Result<()> {
    let Some(stack) = ContainerStack::load(dir)? else {
        return Ok(());
    };
    if stack
        .containers(&Engine::find()?)?
        .iter()
        .any(|each| each.running)
    {
        bail!(
            "a stack already runs in {} (containers of {}): `cargo xtask down` stops it",
            dir.path().display(),
            stack.project
        );
    }
    stack.stop(dir)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn stacks_in_different_folders_have_different_names_that_compose_takes() {
        let names = |path: &str| {
            names(&StackDir::new(Some(Path::new(path))).unwrap())
                .unwrap()
                .0
        };
        assert_eq!(
            names("/a/My_Stack 1"),
            format!("feeway-mystack1-{:08x}", sum("/a/My_Stack 1"))
        );
        assert_ne!(names("/a/stack"), names("/b/stack"));
        let default = StackDir::new(None).unwrap();
        assert_eq!(
            super::names(&default).unwrap(),
            ("feeway".into(), "payment-processor".into())
        );
    }
}
