use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use feeway_machine::binaries::{Binaries, Profile, compile};
use feeway_machine::k6::K6;
use feeway_machine::ports::{free_pair, visible_ports};
use feeway_machine::programs;
use feeway_stack::image;
use feeway_stack::stack_dir::StackDir;
use feeway_stack::up::Engine;

use super::options::{CompareOptions, Part};

const PACKAGE: &str = "feeway-load";
const FLOOR: &str = "feeway-floor";
const PACE: &str = "feeway-pace";

/// The programs of a comparison, and the ports that both sides use in turn.
pub(super) struct Tools {
    pub(super) floor: PathBuf,
    pub(super) pace: PathBuf,
    /// Only when a part needs it.
    pub(super) k6: Option<K6>,
    pub(super) wrk: Option<PathBuf>,
    pub(super) port: u16,
    pub(super) simulator_port: u16,
    /// How the programs were compiled, and what they run on.
    pub(super) profile: Profile,
    pub(super) engine: Engine,
}

impl Tools {
    /// Builds what is ours and finds, or installs, what is not.
    pub(super) fn prepare(dir: &StackDir, options: &CompareOptions) -> Result<Self> {
        let (profile, engine) = (options.profile, options.engine);
        let parts = options.parts();
        let needs = |kinds: &[Part]| parts.iter().any(|part| kinds.contains(part));
        let k6 = (needs(&[Part::Preview]) || options.plays_final())
            .then(K6::find_or_install)
            .transpose()?;
        let wrk = needs(&[Part::Failing, Part::Healthy, Part::Memory])
            .then(|| programs::find_or_install("wrk"))
            .transpose()?;
        dir.create()?;
        match engine {
            Engine::Native => {
                Binaries::build(profile, &dir.binaries())?;
            }
            Engine::Docker => {
                image::build(profile)?;
                image::build_floor(profile)?;
            }
        }
        let [floor, pace] = build(profile, &dir.binaries())?;
        let simulator_port = free_pair()?;
        let port = visible_ports(3)?
            .into_iter()
            .find(|port| !(simulator_port..=simulator_port.saturating_add(1)).contains(port))
            .context("no free port")?;
        Ok(Self {
            floor,
            pace,
            k6,
            wrk,
            port,
            simulator_port,
            profile,
            engine,
        })
    }
}

/// Builds the floor and the client, and copies them to where the stack's programs are.
fn build(profile: Profile, into: &Path) -> Result<[PathBuf; 2]> {
    let built = compile(profile, &[PACKAGE])?;
    let copy = |name: &str| -> Result<PathBuf> {
        let from = built
            .get(name)
            .with_context(|| format!("the build made no {name}"))?;
        let to = into.join(name);
        fs::copy(from, &to).with_context(|| format!("cannot copy {name}"))?;
        Ok(to)
    };
    Ok([copy(FLOOR)?, copy(PACE)?])
}
