//! The documents name what there is, and all of it.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use crate::readme::{help, options, repository};
use crate::stack::Stack;

const DOCUMENTS: [&str; 6] = [
    "README.md",
    "ARCHITECTURE.md",
    "CHANGELOG.md",
    "docs/operations.md",
    "docs/processors.md",
    "docs/simulator.md",
];

/// What a file's name ends with, when a document speaks of one.
const ENDINGS: [&str; 11] = [
    ".rs", ".lua", ".md", ".json", ".yaml", ".yml", ".cfg", ".conf", ".toml", ".js", ".sh",
];

/// Written at run time into a stack's folder.
const WRITTEN: [&str; 3] = ["plan.json", "state.json", "containers.json"];

fn read(document: &str) -> String {
    fs::read_to_string(repository().join(document)).expect("it is in the repository")
}

/// What stands between backticks in one line, and where links lead.
fn named(text: &str) -> BTreeSet<String> {
    let spans = text
        .lines()
        .flat_map(|line| line.split('`').skip(1).step_by(2));
    let links = text.split("](").skip(1);
    let targets = links.filter_map(|rest| rest.split([')', '#']).next());
    spans
        .chain(targets)
        .filter(|name| !name.is_empty() && !name.contains([' ', '$', '{', '*', ':']))
        .map(str::to_owned)
        .collect()
}

/// Files and folders of the repository among them.
fn paths(names: BTreeSet<String>) -> Vec<String> {
    let top: BTreeSet<String> = fs::read_dir(repository())
        .expect("it is a folder")
        .map(|entry| entry.expect("it can be read").file_name())
        .map(|name| name.to_string_lossy().into_owned())
        .collect();
    let is_path = |name: &String| {
        let first = name.split('/').next().unwrap_or_default();
        ENDINGS.iter().any(|ending| name.ends_with(ending))
            || name.contains('/') && first != "target" && top.contains(first)
    };
    names.into_iter().filter(is_path).collect()
}

/// Whether a file of this name stands anywhere below.
fn has_file(folder: &Path, file_name: &str) -> bool {
    let entries = fs::read_dir(folder).expect("it is a folder");
    entries.flatten().any(|entry| {
        let path = entry.path();
        if path.is_dir() {
            has_file(&path, file_name)
        } else {
            entry.file_name() == file_name
        }
    })
}

#[test]
fn every_file_that_a_document_names_is_there() {
    let mut checked = 0;
    for document in DOCUMENTS {
        let from = repository().join(document);
        let beside = from.parent().expect("it stands in a folder");
        for path in paths(named(&read(document))) {
            let in_sight = repository().join(&path).exists() || beside.join(&path).exists();
            let known = WRITTEN.contains(&path.as_str())
                || !path.contains('/') && has_file(&repository().join("crates"), &path);
            let written = path.starts_with("target/");
            assert!(in_sight || known || written, "{document}: no {path}");
            checked += 1;
        }
    }
    assert!(checked > 80, "only {checked} were found");
}

#[test]
fn every_crate_is_on_the_map() {
    let map = read("ARCHITECTURE.md");
    let crates = fs::read_dir(repository().join("crates")).expect("it is a folder");
    for folder in crates.flatten() {
        let name = folder.file_name().to_string_lossy().into_owned();
        assert!(map.contains(&format!("| `crates/{name}` |")), "{name}");
    }
}

/// The commands that a help lists.
fn commands(help: &str) -> Vec<String> {
    let list = help.split("Commands:\n").nth(1).unwrap_or_default();
    let lines = list.lines().take_while(|line| !line.is_empty());
    let names = lines.filter(|line| line.starts_with("  ") && !line.starts_with("   "));
    names
        .filter_map(|line| line.split_whitespace().next())
        .filter(|name| *name != "help")
        .map(str::to_owned)
        .collect()
}

#[test]
fn every_command_and_option_there_is_stands_in_the_readme() {
    let readme = read("README.md");
    let known = options(&readme);
    let check = |program: &str, help: &str| {
        let ours = ["help", "version"].map(str::to_owned).into();
        let found: BTreeSet<String> = &options(help) - &ours;
        let missing: BTreeSet<_> = found.difference(&known).collect();
        assert!(missing.is_empty(), "{program}: {missing:?}");
    };
    let xtask = Path::new(env!("CARGO_BIN_EXE_xtask"));
    let ours = commands(&help(xtask, None));
    assert!(ours.len() > 9, "{ours:?}");
    for name in &ours {
        assert!(readme.contains(&format!("| `cargo xtask {name}")), "{name}");
        check(name, &help(xtask, Some(name)));
    }
    let stack = Stack::up(&[]);
    for program in ["feeway-front", "feeway-leader", "feeway-certify"] {
        check(program, &help(&stack.dir.join("bin").join(program), None));
    }
    let tool = stack.dir.join("bin/feeway-ctl");
    let whole = help(&tool, None);
    check("feeway-ctl", &whole);
    for name in commands(&whole) {
        assert!(readme.contains(&format!("| `{name}")), "{name}");
        check(&name, &help(&tool, Some(&name)));
    }
}
