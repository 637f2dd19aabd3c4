//! Carries out what was planned, with the proof that the moment allows: either all fronts
//! stand back from the processor, or none lives.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::Context;
use feeway_domain::{
    CorrelationId, ProcessorName, Proof, Resolutions, Resolve, StoreFault, Verdict,
};

use crate::patience::patiently;
use crate::resolve::plan::Wanted;
use crate::silence::{WATCH, as_watched, watch};
use crate::stood_back::{StoodBack, Waited, in_force, not_in_time};

/// How often the proof may slip away, by fronts that come, go or take over from each other.
const ROUNDS: usize = 20;

/// What became of one payment.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) id: CorrelationId,
    /// What was done, or why nothing was.
    pub(crate) how: Result<Resolve, String>,
}

/// By whom, for how long fronts may take to stand back, and what counts as done.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Manner<'a> {
    pub(crate) by: &'a str,
    pub(crate) wait: Duration,
    /// It is about whatever is pinned, so what ended or left by itself needs no decision.
    pub(crate) all: bool,
}

/// Decides all, processor by processor. What was done before an error is in `ended`.
pub(crate) async fn carry_out(
    store: &impl Resolutions,
    wanted: Vec<Wanted>,
    manner: Manner<'_>,
    ended: &mut Vec<Ended>,
) -> anyhow::Result<()> {
    let mut by_processor: BTreeMap<ProcessorName, Vec<Wanted>> = BTreeMap::new();
    for one in wanted {
        by_processor.entry(one.named.clone()).or_default().push(one);
    }
    for (processor, mut open) in by_processor {
        for _ in 0..ROUNDS {
            if open.is_empty() {
                break;
            }
            let fronts = patiently(|| store.fronts()).await?;
            open = if fronts.living().is_empty() {
                in_silence(store, open, manner, ended).await?
            } else {
                stood_back(store, &processor, open, manner, ended).await?
            };
        }
        refuse(
            open,
            "its front was heard of at the last moment: see show",
            ended,
        );
    }
    Ok(())
}

fn refuse(open: Vec<Wanted>, why: &str, ended: &mut Vec<Ended>) {
    ended.extend(open.iter().map(|one| Ended {
        id: one.id(),
        how: Err(why.to_owned()),
    }));
}

/// Without any front. Returns what is left when one is heard of after all.
async fn in_silence(
    store: &impl Resolutions,
    open: Vec<Wanted>,
    manner: Manner<'_>,
    ended: &mut Vec<Ended>,
) -> anyhow::Result<Vec<Wanted>> {
    eprintln!(
        "no front lives; watching for {} s that none is heard of …",
        WATCH.as_secs()
    );
    let Some(fronts) = watch(store).await? else {
        return Ok(open);
    };
    let mut left = Vec::new();
    for mut one in open {
        one.custody = as_watched(&one.custody, &fronts);
        let mut resolve = resolve_silent(store, &one, manner.by).await?;
        if resolve == Resolve::Changed {
            let case = patiently(|| store.case(one.id())).await?;
            match case.and_then(|case| case.custody) {
                Some(now) if now.entry.processor.as_ref() == Some(&one.named) => one.custody = now,
                Some(_) | None => resolve = Resolve::Gone,
            }
            // Each no takes the owner out of everybody's hands, and that is no sign of life.
            if resolve == Resolve::Changed && one.custody.is_released() {
                resolve = resolve_silent(store, &one, manner.by).await?;
            }
        }
        if resolve == Resolve::Changed {
            left.push(one);
        } else {
            ended.push(told(one.id(), resolve, manner));
        }
    }
    Ok(left)
}

async fn resolve_silent(
    store: &impl Resolutions,
    one: &Wanted,
    by: &str,
) -> anyhow::Result<Resolve> {
    let step = || store.resolve(&one.custody, &one.verdict, &Proof::Silence, by);
    done(patiently(step).await)
}

/// While fronts live. Returns what is left when none does any longer.
async fn stood_back(
    store: &impl Resolutions,
    processor: &ProcessorName,
    mut open: Vec<Wanted>,
    manner: Manner<'_>,
    ended: &mut Vec<Ended>,
) -> anyhow::Result<Vec<Wanted>> {
    let mut back = StoodBack::begin(store, processor, manner.by).await?;
    eprintln!("the fronts are to stand back from {processor} …");
    let mut is_released = false;
    for _ in 0..ROUNDS {
        if open.is_empty() {
            break;
        }
        let tell = |names: &[String]| eprintln!("waiting for {} …", names.join(", "));
        match back
            .wait(manner.wait, tell)
            .await
            .with_context(|| in_force(processor))?
        {
            Waited::All => {}
            Waited::Nobody => break,
            Waited::Still(names) => {
                let why = not_in_time(&names, processor);
                refuse(std::mem::take(&mut open), &why, ended);
                break;
            }
        }
        let mut left = Vec::new();
        for one in open {
            let resolve = done(back.decide(&one.custody, &one.verdict).await)
                .with_context(|| in_force(processor))?;
            is_released |= resolve == Resolve::Released;
            if resolve == Resolve::Changed {
                left.push(one);
            } else {
                ended.push(told(one.id(), resolve, manner));
            }
        }
        open = left;
    }
    let stays = is_released || !back.is_ours();
    back.end(is_released)
        .await
        .with_context(|| in_force(processor))?;
    if stays {
        eprintln!(
            "the fronts go on standing back from {processor}, so that nothing is pinned to it \
             again: start them without it, or end it with stand-back {processor} --end"
        );
    }
    Ok(open)
}

fn done(resolve: Result<Resolve, StoreFault>) -> anyhow::Result<Resolve> {
    resolve.context("nobody knows whether the last one was done: see resolutions")
}

fn told(id: CorrelationId, resolve: Resolve, manner: Manner<'_>) -> Ended {
    let how = match resolve {
        Resolve::Settled(_) | Resolve::Released => Ok(resolve),
        Resolve::Gone | Resolve::Unnamed if manner.all => Ok(resolve),
        Resolve::Changed => Err("its front was heard of at the last moment: see show".to_owned()),
        Resolve::Gone => Err("it ended or left that processor meanwhile: see show".to_owned()),
        Resolve::Unnamed => Err("it was released meanwhile: see resolutions".to_owned()),
    };
    Ended { id, how }
}

/// How many of these let their payments go.
pub(crate) fn count_of_not_held(wanted: &[Wanted]) -> usize {
    let not_held = wanted.iter().filter(|one| one.verdict == Verdict::NotHeld);
    not_held.count()
}
