//! The documents name what there is, and all of it.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use feeway_machine::files::repository;

/// Pages whose length is bounded, so that they stay what a stranger reads first, in bytes.
const SHORT: [(&str, usize); 2] = [("README.md", 8 * 1024), ("ARCHITECTURE.md", 14 * 1024)];

/// What the top level and `docs` have in Markdown, but for templates.
fn documents() -> Vec<String> {
    let mut found = Vec::new();
    for folder in ["", "docs", "docs/design"] {
        let entries = fs::read_dir(repository().join(folder)).expect("it is a folder");
        for entry in entries {
            let name = entry.expect("it can be read").file_name();
            let path = Path::new(folder).join(name);
            if path.extension().is_some_and(|ending| ending == "md") {
                found.push(path.to_string_lossy().into_owned());
            }
        }
    }
    assert!(found.len() > 12, "{found:?}");
    found
}

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
    for document in documents() {
        let from = repository().join(&document);
        let beside = from.parent().expect("it stands in a folder");
        for path in paths(named(&read(&document))) {
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
    for place in ["crates", "xtask"] {
        let crates = fs::read_dir(repository().join(place)).expect("it is a folder");
        for folder in crates.flatten() {
            let name = folder.file_name().to_string_lossy().into_owned();
            assert!(map.contains(&format!("| `{place}/{name}` |")), "{name}");
        }
    }
}

/// As GitHub names the place of a heading.
fn anchors(page: &str) -> BTreeSet<String> {
    let headings = page.lines().filter(|line| line.starts_with('#'));
    headings
        .map(|heading| {
            let words = heading.trim_start_matches('#').trim().to_lowercase();
            let kept = words
                .chars()
                .filter(|letter| letter.is_alphanumeric() || matches!(letter, ' ' | '-' | '_'));
            kept.map(|letter| if letter == ' ' { '-' } else { letter })
                .collect()
        })
        .collect()
}

#[test]
fn every_link_to_a_heading_leads_to_one() {
    let mut checked = 0;
    for document in documents() {
        let text = read(&document);
        let beside = Path::new(&document)
            .parent()
            .expect("it stands in a folder");
        let links = text.split("](").skip(1);
        for link in links.filter_map(|rest| rest.split(')').next()) {
            let Some((path, anchor)) = link.split_once('#').filter(|_| !link.contains(':')) else {
                continue;
            };
            let page = if path.is_empty() {
                text.clone()
            } else {
                read(&beside.join(path).to_string_lossy())
            };
            assert!(anchors(&page).contains(anchor), "{document}: {link}");
            checked += 1;
        }
    }
    assert!(checked > 20, "only {checked} were found");
}

#[test]
fn readme_and_architecture_are_short() {
    for (document, limit) in SHORT {
        let length = read(document).len();
        assert!(length <= limit, "{document} has {length} bytes of {limit}");
    }
}

#[test]
fn the_page_of_commands_is_what_the_programs_say() {
    let output = Command::new(env!("CARGO_BIN_EXE_xtask"))
        .args(["docs", "--check"])
        .output()
        .expect("cargo built it");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
}
