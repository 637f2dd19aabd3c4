use super::*;

const SECOND: Duration = Duration::from_secs(1);

fn identity(name: &str) -> Identity {
    Identity(name.into())
}

fn found(name: &str) -> Found {
    Found {
        identity: Some(identity(name)),
        ..Found::default()
    }
}

fn starts(starts: &[(&str, i64)]) -> Vec<(String, i64)> {
    let starts = starts.iter();
    starts
        .map(|(run, pulse)| ((*run).to_owned(), *pulse))
        .collect()
}

/// What a front does that finds data and takes it for its own.
fn belong(past: &Past, found: &Found, run: &str, age: Duration) {
    let verdict = lock(&past.known).judge(found);
    let (Verdict::Ours(belonging) | Verdict::Adopted(belonging)) = verdict else {
        panic!("{verdict:?}");
    };
    let is_adopted = false;
    past.belongs(
        Met {
            belonging,
            is_adopted,
            age,
        },
        run,
    );
}

/// What it does with data that is not its own.
fn lose(past: &Past, found: &Found) -> Lost {
    let mut known = lock(&past.known);
    let Verdict::Lost(lost) = known.judge(found) else {
        panic!("it is taken for ours");
    };
    known.lost = Some(found.identity.clone());
    lost
}

async fn pass(seconds: u32) {
    tokio::time::advance(SECOND * seconds).await;
}

/// Heartbeats of so many seconds, whose last one has this pulse.
async fn beat(past: &Past, seconds: i64, until: i64) {
    for pulse in until - seconds + 1..=until {
        pass(1).await;
        past.felt(JournalTime::from_micros(pulse));
    }
}

#[tokio::test(start_paused = true)]
async fn a_front_belongs_to_the_first_data_that_it_finds() {
    let past = Past::default();
    belong(&past, &found("a"), "run", SECOND * 60);
    assert!(matches!(
        lock(&past.known).judge(&found("a")),
        Verdict::Ours(_)
    ));
    let other = Lost::Other {
        found: identity("b"),
        ours: identity("a"),
    };
    assert_eq!(lose(&past, &found("b")), other);
    let ours = identity("a");
    assert_eq!(lose(&past, &Found::default()), Lost::All { ours });
}

#[tokio::test(start_paused = true)]
async fn a_new_identity_may_be_forgotten_for_three_seconds() {
    let past = Past::default();
    belong(&past, &Found::default(), "run", Duration::ZERO);
    let made = lock(&past.known).ours.as_ref().unwrap().belonging.clone();
    beat(&past, 2, 2).await;
    pass(60).await;
    let verdict = lock(&past.known).judge(&Found::default());
    assert_eq!(
        verdict,
        Verdict::Ours(made),
        "nothing ages while it is away"
    );
    beat(&past, 2, 4).await;
    lose(&past, &Found::default());
}

fn adopted(of: &[&str]) -> Found {
    Found {
        adoptions: Adoptions(of.iter().map(|&one| one.to_owned()).collect()),
        ..found("z")
    }
}

#[tokio::test(start_paused = true)]
async fn an_adoption_counts_for_whoever_has_seen_what_it_is_of() {
    for (seen, of, counts) in [
        (Some(Found::default()), &["none"][..], true),
        (Some(Found::default()), &["none", "b"], true),
        (Some(Found::default()), &["b"], false),
        (Some(Found::default()), &[], false),
        (Some(found("b")), &["none", "b"], true),
        (Some(found("b")), &["none", "b", "c"], true),
        (Some(found("b")), &["none"], false),
        (None, &["none", "a"], true),
        (None, &["none", "b"], false),
        (None, &["none"], false),
    ] {
        let past = Past::default();
        belong(&past, &found("a"), "run", SECOND * 60);
        if let Some(seen) = &seen {
            lose(&past, seen);
        }
        let verdict = lock(&past.known).judge(&adopted(of));
        let is_adopted = matches!(verdict, Verdict::Adopted(_));
        assert_eq!(is_adopted, counts, "{seen:?} {of:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn data_that_a_fresh_front_has_begun_is_no_adoption() {
    let past = Past::default();
    belong(&past, &found("a"), "run", SECOND * 60);
    lose(&past, &Found::default());
    lose(&past, &found("b"));
}

#[tokio::test(start_paused = true)]
async fn whoever_has_no_heartbeats_knows_by_its_steps_that_an_identity_is_kept() {
    let past = Past::default();
    belong(&past, &Found::default(), "run", Duration::ZERO);
    pass(10).await;
    let verdict = lock(&past.known).judge(&Found::default());
    assert!(
        matches!(verdict, Verdict::Ours(_)),
        "nothing was acknowledged since"
    );
    lock(&past.known).answered(Instant::now());
    lose(&past, &Found::default());
}

#[tokio::test(start_paused = true)]
async fn an_adoption_that_was_forgotten_is_made_again() {
    let past = Past::default();
    belong(&past, &found("a"), "run", SECOND * 60);
    lose(&past, &found("b"));
    let adopted = adopted(&["none", "b"]);
    belong(&past, &adopted, "run", SECOND);
    let verdict = lock(&past.known).judge(&found("b"));
    let Verdict::Ours(belonging) = verdict else {
        panic!("{verdict:?}");
    };
    assert_eq!(belonging.identity, identity("z"));
    assert_eq!(belonging.adoptions, adopted.adoptions);
    lose(&past, &Found::default());
}

#[tokio::test(start_paused = true)]
async fn a_copy_lacks_heartbeats_that_a_killed_redis_could_not_forget() {
    // Ten heartbeats, one a second: the seventh at the latest is on the disk.
    for (begun_with, is_older) in [(10, false), (7, false), (6, false), (5, true), (0, true)] {
        let past = Past::default();
        belong(&past, &found("a"), "one", SECOND * 60);
        beat(&past, 10, 10).await;
        pass(3_600).await;
        let next = Found {
            pulse: begun_with,
            starts: starts(&[("zero", 0), ("one", 0)]),
            ..found("a")
        };
        let lacks = lock(&past.known).ours.as_ref().unwrap().lacks(&next);
        let lost = is_older.then(|| Lost::Since {
            from: JournalTime::from_micros(begun_with),
            until: JournalTime::from_micros(6),
        });
        assert_eq!(lacks, lost, "{begun_with}");
    }
}

#[tokio::test(start_paused = true)]
async fn others_may_have_worked_with_an_older_copy_since() {
    let past = Past::default();
    belong(&past, &found("a"), "one", SECOND * 60);
    beat(&past, 10, 10).await;
    for (begun_with, is_older) in [(9, false), (2, true)] {
        let later = Found {
            pulse: 1_000,
            starts: starts(&[("one", 0), ("two", begun_with), ("three", 900)]),
            ..found("a")
        };
        let ours = lock(&past.known);
        let lacks = ours.ours.as_ref().unwrap().lacks(&later);
        assert_eq!(lacks.is_some(), is_older, "{begun_with}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_copy_of_before_our_run_is_older_whatever_its_pulse() {
    let past = Past::default();
    belong(&past, &found("a"), "one", SECOND * 60);
    beat(&past, 10, 10).await;
    let copy = Found {
        pulse: 1_000,
        starts: starts(&[("zero", 0), ("other", 900)]),
        ..found("a")
    };
    lose(&past, &copy);
}

#[tokio::test(start_paused = true)]
async fn restarts_in_a_row_may_forget_what_came_between_them() {
    let past = Past::default();
    belong(&past, &found("a"), "one", SECOND * 60);
    beat(&past, 10, 10).await;
    // Killed, which forgets the last two beats, and again after a second, which forgets that run.
    let second = Found {
        pulse: 8,
        starts: starts(&[("one", 0)]),
        ..found("a")
    };
    pass(20).await;
    belong(&past, &second, "two", SECOND * 60);
    beat(&past, 1, 31).await;
    pass(20).await;
    assert!(matches!(lock(&past.known).judge(&second), Verdict::Ours(_)));
    belong(&past, &second, "three", SECOND * 60);
    beat(&past, 5, 60).await;
    let third = Found {
        pulse: 60,
        starts: starts(&[("one", 0), ("three", 8)]),
        ..found("a")
    };
    assert!(matches!(lock(&past.known).judge(&third), Verdict::Ours(_)));
}
