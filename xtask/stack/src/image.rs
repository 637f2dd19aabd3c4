use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use clap::Args;
use feeway_machine::binaries::{Profile, cargo, compile, messages};
use feeway_machine::docker::Engine;
use feeway_machine::files::repository;

use crate::up::word;

/// What a container of ours may have to run: package and program.
const PROGRAMS: [(&str, &str); 6] = [
    ("feeway-certify", "feeway-certify"),
    ("feeway-ctl", "feeway-ctl"),
    ("feeway-front", "feeway-front"),
    ("feeway-leader", "feeway-leader"),
    ("feeway-ready", "feeway-ready"),
    ("feeway-simulator", "feeway-simulator"),
];

/// What the image of `deploy/compose.floor.yaml` has.
const FLOOR: [(&str, &str); 2] = [
    ("feeway-load", "feeway-floor"),
    ("feeway-ready", "feeway-ready"),
];

/// What `deploy/Dockerfile` writes on an image.
const LABEL: &str = "org.opencontainers.image.title=feeway";

/// Where machines keep the authorities that they trust, and where the image has them: there
/// the programs look for them, in this order.
const AUTHORITIES: [&str; 3] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
];
const AUTHORITIES_FILE: &str = "ca-certificates.crt";

/// The image has no C library, so the programs bring their own. That of GNU looks names up by
/// itself since its version 2.34, without the modules that it once had to load.
const STATIC: &str = "-C target-feature=+crt-static";

/// How the image is built.
#[derive(Args, Debug)]
pub struct ImageOptions {
    /// How the programs are compiled
    #[arg(long, value_enum, default_value = "release")]
    profile: Profile,

    /// Build the image of deploy/compose.floor.yaml instead
    #[arg(long)]
    floor: bool,
}

/// Builds the image and says what it is called.
pub fn run(options: &ImageOptions) -> Result<()> {
    let engine = Engine::find()?;
    let tag = if options.floor {
        build_floor(options.profile)?
    } else {
        build(options.profile)?
    };
    let size = engine.image_bytes(tag)?;
    println!("{tag}: {}.{} MB", size / 1_000_000, size / 100_000 % 10);
    Ok(())
}

/// What the image of a profile is called.
pub(crate) fn tag(profile: Profile) -> &'static str {
    match profile {
        Profile::Release => "feeway:local",
        Profile::Dev => "feeway:dev",
    }
}

/// The same of the floor's image.
pub(crate) fn floor_tag(profile: Profile) -> &'static str {
    match profile {
        Profile::Release => "feeway-floor:local",
        Profile::Dev => "feeway-floor:dev",
    }
}

/// Builds the programs and the image, as far as they have changed, and returns its name.
pub fn build(profile: Profile) -> Result<&'static str> {
    build_image(tag(profile), profile, &PROGRAMS)
}

/// The same for what stands in the fronts' places in comparisons.
pub fn build_floor(profile: Profile) -> Result<&'static str> {
    build_image(floor_tag(profile), profile, &FLOOR)
}

fn build_image(
    tag: &'static str,
    profile: Profile,
    programs: &[(&str, &str)],
) -> Result<&'static str> {
    let context = repository()
        .join("target/image")
        .join(tag.replace(':', "-"));
    if context.exists() {
        fs::remove_dir_all(&context)?;
    }
    let root = context.join("root");
    match profile {
        Profile::Release => compile_static(profile, programs, &root.join("usr/bin"))?,
        Profile::Dev => copy_with_libraries(programs, &root)?,
    }
    copy_authorities(&root.join("etc/ssl/certs"))?;
    println!("Building the image {tag} …");
    let output = Command::new("docker")
        .args(["build", "--tag", tag, "--file"])
        .arg(repository().join("deploy/Dockerfile"))
        .arg(&context)
        .output()
        .context("cannot run docker")?;
    if !output.status.success() {
        bail!(
            "the image was not built:\n{}{}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
    }
    forget_replaced()?;
    Ok(tag)
}

/// Removes images of ours that a newer one has taken the name of and no container uses.
fn forget_replaced() -> Result<()> {
    let label = format!("label={LABEL}");
    let status = Command::new("docker")
        .args(["image", "prune", "--force", "--filter", &label])
        .stdout(Stdio::null())
        .status()
        .context("cannot run docker")?;
    if !status.success() {
        bail!("replaced images were not removed ({status})");
    }
    Ok(())
}

/// Lets the image trust whom this machine trusts.
fn copy_authorities(folder: &Path) -> Result<()> {
    fs::create_dir_all(folder)?;
    let Some(from) = AUTHORITIES.iter().find(|file| Path::new(file).is_file()) else {
        println!("This machine has no certificate authorities, so the image trusts none.");
        return Ok(());
    };
    fs::copy(from, folder.join(AUTHORITIES_FILE)).with_context(|| format!("cannot copy {from}"))?;
    Ok(())
}

/// Links the programs statically, into a new folder.
fn compile_static(profile: Profile, programs: &[(&str, &str)], folder: &Path) -> Result<()> {
    let profile = word(profile);
    println!("Building for the image ({profile}) …");
    let mut command = cargo();
    command
        .args(["build", "--profile", &profile])
        .arg("--config")
        .arg(format!("profile.{profile}.strip=true"))
        // With a target named, the flags are not for what runs while it builds.
        .args(["--target", &host()?])
        .env("RUSTFLAGS", STATIC)
        .env_remove("CARGO_ENCODED_RUSTFLAGS");
    for (package, program) in programs {
        command.args(["--package", package, "--bin", program]);
    }
    fs::create_dir_all(folder)?;
    for message in messages(command)? {
        if let Some(path) = message["executable"].as_str()
            && let Some(name) = message["target"]["name"].as_str()
        {
            fs::copy(path, folder.join(name)).with_context(|| format!("cannot copy {name}"))?;
        }
    }
    Ok(())
}

/// Takes the programs of the dev profile as they are, with the libraries that they load: nothing is
/// compiled for the image alone.
fn copy_with_libraries(programs: &[(&str, &str)], root: &Path) -> Result<()> {
    let packages: Vec<&str> = programs.iter().map(|(package, _)| *package).collect();
    let built = compile(Profile::Dev, &packages)?;
    let folder = root.join("usr/bin");
    fs::create_dir_all(&folder)?;
    for (_, program) in programs {
        let from = built
            .get(*program)
            .with_context(|| format!("the build made no {program}"))?;
        let to = folder.join(program);
        // What is for a debugger is many times what runs.
        let stripped = Command::new("strip").arg("-o").args([&to, from]).status();
        if !stripped.is_ok_and(|status| status.success()) {
            fs::copy(from, &to).with_context(|| format!("cannot copy {program}"))?;
        }
        for library in libraries(from)? {
            let copy = root.join(library.strip_prefix("/").unwrap_or(&library));
            fs::create_dir_all(copy.parent().unwrap_or(root))?;
            fs::copy(&library, &copy)
                .with_context(|| format!("cannot copy {}", library.display()))?;
        }
    }
    Ok(())
}

/// The files that a program loads when it starts, among them what loads them.
fn libraries(program: &Path) -> Result<Vec<PathBuf>> {
    let output = Command::new("ldd")
        .arg(program)
        .output()
        .context("cannot run ldd")?;
    let text = String::from_utf8(output.stdout)?;
    let words = text.split_whitespace();
    Ok(words
        .filter(|word| word.starts_with('/') && !word.ends_with(':'))
        .map(PathBuf::from)
        .collect())
}

/// The kind of machine that this is, as cargo calls it.
fn host() -> Result<String> {
    let output = cargo()
        .arg("-vV")
        .output()
        .context("cannot run cargo")?
        .stdout;
    let text = String::from_utf8(output)?;
    text.lines()
        .find_map(|line| line.strip_prefix("host: "))
        .map(str::to_owned)
        .context("cargo does not say for which machine it builds")
}
