use feeway_options::one_line;

use super::*;

const ID: &str = "4a7901b8-7d26-4d9d-aa19-4dc1c7cf60b3";
const OTHER: &str = "4a7901b8-7d26-4d9d-aa19-4dc1c7cf60b4";
const T: &str = "2025-07-15T12:34:56.000001";

fn read(arguments: &[&str]) -> Result<Options, String> {
    let redis = ["feeway-ctl", "--redis=unix:///run/redis.sock"];
    let arguments = redis.iter().chain(arguments).map(OsString::from);
    Options::read(arguments).map_err(|error| one_line(&error))
}

#[test]
fn the_command_is_well_formed() {
    Options::command().debug_assert();
}

/// Reads command lines that are fine, or refused with these words in one line.
#[track_caller]
fn check(rows: &[(&[&str], Option<&str>)]) {
    for (arguments, refusal) in rows {
        match (read(arguments), refusal) {
            (Ok(_), None) => {}
            (Err(said), Some(expected)) => {
                assert!(said.contains(expected) && !said.contains('\n'), "{said}");
            }
            (other, _) => panic!("{arguments:?}: {other:?}"),
        }
    }
}

#[test]
fn resolve_needs_held_or_not_held_with_all_its_options() {
    check(&[
        (&["resolve", ID][..], Some("--held")),
        (&["resolve", ID, "--held=default"], Some("--requested-at")),
        (
            &["resolve", ID, "--requested-at", T],
            Some("--held <PROCESSOR>"),
        ),
        (
            &["resolve", ID, "--held=default", "--requested-at", T],
            None,
        ),
        (&["resolve", ID, "--not-held"], None),
        (
            &["resolve", ID, "--not-held", "--fee=0.05"],
            Some("cannot be used with"),
        ),
        (
            &["resolve", ID, "--not-held", "--held=a", "--requested-at", T],
            Some("cannot be used with"),
        ),
        (&["resolve", "1", "--not-held"], Some("not a UUID")),
        (
            &["resolve", ID, "--not-held", "--clock-slip=2m"],
            Some("between 0s and 1m"),
        ),
        (&["resolve", ID, "--not-held", "--by="], Some("--by")),
    ]);
}

#[test]
fn several_payments_are_named_listed_in_a_file_or_all_of_a_processor() {
    check(&[
        (&["resolve", ID, OTHER, "--not-held"][..], None),
        (
            &["resolve", ID, OTHER, "--held=a", "--requested-at", T],
            Some("--held works for one payment only"),
        ),
        (&["resolve", "--not-held"], Some("<ID>...")),
        (&["resolve", "--all", "--not-held"], Some("--processor")),
        (
            &["resolve", "--all", "--processor=a"],
            Some("--all needs --not-held"),
        ),
        (&["resolve", "--all", "--processor=a", "--not-held"], None),
        (
            &["resolve", ID, "--all", "--processor=a", "--not-held"],
            Some("cannot be used with"),
        ),
        (&["resolve", "--file=x"], Some("--processor")),
        (
            &["resolve", "--file=x", "--processor=a", "--fee=0.05"],
            None,
        ),
        (
            &["resolve", "--file=x", "--processor=a", "--not-held"],
            Some("--file with --not-held needs --all"),
        ),
        (
            &["resolve", "--all", "--file=x", "--processor=a"],
            Some("--all needs --not-held"),
        ),
        (
            &[
                "resolve",
                "--all",
                "--file=x",
                "--processor=a",
                "--not-held",
                "--fee=0.05",
            ],
            None,
        ),
        (&["resolve", ID, "--not-held", "--wait=2h"], Some("--wait")),
    ]);
}

#[test]
fn stand_back_and_reopen_need_an_argument() {
    check(&[
        (&["stand-back"][..], None),
        (&["stand-back", "a", "--no-wait"], None),
        (&["stand-back", "a", "--end"], None),
        (&["stand-back", "--end"], Some("<PROCESSOR>")),
        (
            &["stand-back", "a", "--end", "--no-wait"],
            Some("cannot be used with"),
        ),
        (&["reopen"], Some("<ID>...")),
        (&["reopen", ID, ID], None),
        (&["reopen", ID, "--all"], Some("cannot be used with")),
        (&["reopen", ID, "--yes"], None),
        (&["reopen", "--all", "--from=2025-07-15T00:00:00Z"], None),
        (
            &["reopen", ID, "--from=2025-07-15T00:00:00Z"],
            Some("--from and --to work only with --all"),
        ),
    ]);
}

#[test]
fn what_is_listed_or_reconciled_is_named() {
    check(&[
        (
            &[
                "list",
                "open",
                "--from=2025-07-15T00:00:00Z",
                "--to=2025-07-14T00:00:00Z",
            ][..],
            Some("--from is later than --to"),
        ),
        (&["list", "lost"], Some("lost")),
        (&["reconcile", "x.json"], Some("--processor")),
        (
            &["reconcile", "x", "--processor=a", "--settle-with-fee=5"],
            Some("--settle-with-fee"),
        ),
        (
            &["reconcile", "x", "--processor=a", "--yes"],
            Some("--settle-with-fee"),
        ),
        (
            &[
                "reconcile",
                "x",
                "--processor=a",
                "--settle-with-fee=0.05",
                "--fee-differs",
                "--dry-run",
            ],
            None,
        ),
    ]);
}

#[test]
fn redis_is_needed() {
    let bare = ["feeway-ctl", "list", "open"].map(OsString::from);
    // Unless the environment of the test has it.
    assert!(Options::read(bare).is_err() || std::env::var_os("FEEWAY_REDIS").is_some());
}
