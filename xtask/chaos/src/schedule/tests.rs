use std::collections::BTreeMap;

use super::*;

fn drawn(seed: u64, fsync_always: bool) -> Vec<Step> {
    let named = |kind: &str| [1, 2].map(|n| format!("{kind}-{n}"));
    draw(&Setting {
        seed,
        length: Duration::from_secs(120),
        fronts: &named("front"),
        leaders: &named("leader"),
        fsync_always,
    })
}

fn times(steps: &[Step], wanted: impl Fn(&Action) -> bool) -> Vec<Duration> {
    let wanted = steps.iter().filter(|step| wanted(&step.action));
    wanted.map(|step| step.at).collect()
}

fn is_redis_kill(action: &Action) -> bool {
    *action == Action::Kill("redis".to_owned())
}

fn is_front_fault(action: &Action) -> bool {
    matches!(action, Action::Kill(name) | Action::Pause(name) if name.starts_with("front"))
}

fn closest(steps: &[Step]) -> Duration {
    let (redis, fronts) = (times(steps, is_redis_kill), times(steps, is_front_fault));
    redis
        .iter()
        .flat_map(|a| fronts.iter().map(move |b| a.abs_diff(*b)))
        .min()
        .unwrap_or(Duration::MAX)
}

#[test]
fn the_same_seed_gives_the_same_schedule() {
    assert_eq!(drawn(1, false), drawn(1, false));
    assert_ne!(drawn(1, false), drawn(2, false));
}

#[test]
fn redis_and_a_front_never_fail_together_unless_every_write_is_synced() {
    for seed in 0..300 {
        let closest = closest(&drawn(seed, false));
        assert!(closest >= APART, "seed {seed}: {closest:?}");
    }
    assert!((0..300).any(|seed| closest(&drawn(seed, true)) < APART));
}

#[test]
fn every_kind_of_fault_comes_up_in_a_few_seeds() {
    let mut counts = BTreeMap::new();
    for step in (0..30).flat_map(|seed| drawn(seed, false)) {
        if let Some(fault) = step.action.fault() {
            *counts.entry(fault).or_insert(0) += 1;
        }
    }
    assert_eq!(counts.len(), 9 + MISHAPS.len(), "{counts:?}");
    assert!(counts.values().all(|count| *count >= 5), "{counts:?}");
}

#[test]
fn one_front_at_a_time_is_paused_for_at_most_30_s() {
    for seed in 0..100 {
        let steps = drawn(seed, false);
        let mut paused: Option<(&str, Duration)> = None;
        for step in &steps {
            match &step.action {
                Action::Pause(name) => {
                    assert_eq!(paused, None, "seed {seed}");
                    paused = Some((name, step.at));
                }
                Action::Resume(name) => {
                    let (who, since) = paused.take().expect("it was paused");
                    assert_eq!(who, name);
                    assert!(step.at - since <= Duration::from_secs(30));
                }
                Action::Kill(_) | Action::Trouble(..) | Action::Relief(..) | Action::Decide(_) => {}
            }
        }
    }
}

#[test]
fn troubles_of_one_switch_do_not_overlap() {
    for seed in 0..100 {
        let mut on = BTreeMap::new();
        for step in drawn(seed, true) {
            match step.action {
                Action::Trouble(place, switch) => {
                    assert_eq!(on.insert((place, switch.name()), ()), None, "seed {seed}");
                }
                Action::Relief(place, switch) => {
                    assert!(on.remove(&(place, switch.name())).is_some());
                }
                Action::Kill(_) | Action::Pause(_) | Action::Resume(_) | Action::Decide(_) => {}
            }
        }
    }
}
