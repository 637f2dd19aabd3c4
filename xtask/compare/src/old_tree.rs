use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use feeway_machine::binaries::{Binaries, Profile};

/// What a stack's servers read.
const CONFIGURATION: [&str; 3] = ["haproxy.cfg", "deploy/redis.conf", "deploy/nats.conf"];

/// Digits of a commit's name that a person needs.
const SHORT: usize = 12;

/// The sources of an earlier revision, in a folder that is named by its commit. They stay there
/// with what cargo made of them, so that cargo can tell that there is nothing to build.
///
/// ```text
/// target/compare/old/
///   <commit>/   its sources, as git has them
///   target/     cargo's, shared by all of them: most dependencies are the same
///   lock
/// ```
pub(super) struct OldTree {
    repository: PathBuf,
    commit: String,
    subject: String,
}

impl OldTree {
    /// Finds the commit that git knows by this name.
    pub(super) fn find(repository: &Path, revision: &str) -> Result<Self> {
        let commit = format!("{revision}^{{commit}}");
        let commit = git(
            repository,
            &["rev-parse", "--verify", "--end-of-options", &commit],
        )
        .with_context(|| {
            format!("git does not know the revision {revision}: give another --old")
        })?;
        let subject = git(repository, &["show", "--no-patch", "--format=%s", &commit])?;
        Ok(Self {
            repository: repository.to_owned(),
            commit,
            subject,
        })
    }

    /// As a person reads it.
    pub(super) fn title(&self) -> String {
        let short = self.commit.get(..SHORT).unwrap_or(&self.commit);
        format!("{short} {}", self.subject)
    }

    /// Where its sources are.
    pub(super) fn folder(&self) -> PathBuf {
        self.home().join(&self.commit)
    }

    fn home(&self) -> PathBuf {
        self.repository.join("target/compare/old")
    }

    fn target(&self) -> PathBuf {
        self.home().join("target")
    }

    /// Builds what a stack runs and copies it to this folder.
    pub(super) fn build(&self, profile: Profile, into: &Path) -> Result<()> {
        fs::create_dir_all(self.home())?;
        // Of two builds in one target folder the second would put its programs in the place of
        // the first one's before these are copied.
        let lock = File::create(self.home().join("lock"))?;
        lock.lock()?;
        self.export()?;
        Binaries::build_tree(&self.folder(), &self.target(), profile, into)
            .with_context(|| format!("cannot build {}", self.title()))?;
        Ok(())
    }

    /// Writes its sources to its folder unless they are there.
    fn export(&self) -> Result<()> {
        let folder = self.folder();
        if folder.exists() {
            return Ok(());
        }
        // Under another name until it is whole.
        let part = folder.with_extension("part");
        if part.exists() {
            fs::remove_dir_all(&part)?;
        }
        fs::create_dir_all(&part)?;
        let archive = part.with_extension("tar");
        let output = format!("--output={}", archive.display());
        git(
            &self.repository,
            &["archive", "--format=tar", &output, &self.commit],
        )?;
        // It keeps the commit's time, by which cargo knows that no source is newer than what it
        // has built.
        let mut tar = Command::new("tar");
        tar.arg("-xf").arg(&archive).arg("-C").arg(&part);
        said(tar)?;
        fs::remove_file(&archive)?;
        fs::rename(&part, &folder)?;
        Ok(())
    }

    /// Whether its servers read anything else than this repository's.
    pub(super) fn is_configured_otherwise(&self) -> Result<bool> {
        for path in CONFIGURATION {
            let old = self.folder().join(path);
            // What an old tree does not have, its servers cannot be started with.
            if !old.exists() {
                return Ok(false);
            }
            if fs::read(old)? != fs::read(self.repository.join(path))? {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

fn git(repository: &Path, arguments: &[&str]) -> Result<String> {
    let mut command = Command::new("git");
    command.current_dir(repository).args(arguments);
    said(command)
}

/// Runs a command to its end. Returns what it printed, without the line's end.
fn said(mut command: Command) -> Result<String> {
    let name = command.get_program().display().to_string();
    let output = command
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("cannot run {name}"))?;
    if !output.status.success() {
        let complaint = String::from_utf8_lossy(&output.stderr);
        bail!("{name} failed ({}): {}", output.status, complaint.trim());
    }
    Ok(String::from_utf8(output.stdout)?.trim_end().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A repository of two commits, the older one with the tag `first`.
    fn repository(name: &str) -> PathBuf {
        let path = std::env::temp_dir().join(format!("feeway-{}-{name}", std::process::id()));
        fs::create_dir_all(path.join("deploy")).unwrap();
        for file in CONFIGURATION {
            fs::write(path.join(file), file).unwrap();
        }
        let run = |line: &str| {
            let own = ["-c", "user.name=F", "-c", "user.email=f@example.com"];
            let words: Vec<&str> = own.into_iter().chain(line.split(' ')).collect();
            git(&path, &words).unwrap()
        };
        run("init --quiet");
        run("add --all");
        run("commit --quiet --no-gpg-sign --message one");
        run("tag --no-sign first");
        fs::write(path.join("haproxy.cfg"), "changed").unwrap();
        run("commit --quiet --no-gpg-sign --all --message two");
        path
    }

    #[test]
    fn a_revision_by_any_name_has_the_folder_of_its_commit() {
        let path = repository("old-names");
        let commit = |name: &str| git(&path, &["rev-parse", name]).unwrap();
        let (first, head) = (commit("first"), commit("HEAD"));
        let check = |revision: &str, expected: Option<&str>| {
            let found = OldTree::find(&path, revision).ok();
            let expected = expected.map(|commit| path.join("target/compare/old").join(commit));
            let folder = found.as_ref().map(OldTree::folder);
            assert_eq!(folder, expected, "{revision}");
            if let Some(tree) = found {
                assert_eq!(tree.target(), path.join("target/compare/old/target"));
            }
        };
        check("HEAD", Some(&head));
        check(&head, Some(&head));
        check(&head[..10], Some(&head));
        check("HEAD~1", Some(&first));
        check("first", Some(&first));
        check("second", None);
        check("HEAD:haproxy.cfg", None);
        check("--all", None);
        check("", None);
        fs::remove_dir_all(&path).unwrap();
    }

    #[test]
    fn sources_are_those_of_the_commit_and_are_written_once() {
        let path = repository("old-sources");
        let check = |revision: &str, expected: &str, otherwise: bool| {
            let tree = OldTree::find(&path, revision).unwrap();
            // What was left of an export that was interrupted.
            let part = tree.folder().with_extension("part");
            fs::create_dir_all(&part).unwrap();
            fs::write(part.join("rest"), "").unwrap();
            tree.export().unwrap();
            let file = tree.folder().join("haproxy.cfg");
            assert_eq!(fs::read_to_string(&file).unwrap(), expected, "{revision}");
            assert!(!tree.folder().join("rest").exists());
            assert_eq!(tree.is_configured_otherwise().unwrap(), otherwise);
            let written = fs::metadata(&file).unwrap().created().ok();
            tree.export().unwrap();
            assert_eq!(fs::metadata(&file).unwrap().created().ok(), written);
        };
        check("first", "haproxy.cfg", true);
        check("HEAD", "changed", false);
        fs::remove_dir_all(&path).unwrap();
    }
}
