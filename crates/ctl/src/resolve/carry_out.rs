//! Carries out what was planned, processor by processor, while nobody sends anything there.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::Context;
use feeway_domain::{
    CorrelationId, Fronts, ProcessorName, Proof, Resolutions, Resolve, StoreFault, Verdict,
};

use crate::moment::{Moment, Order, Step, while_nobody_sends};
use crate::patience::patiently;
use crate::resolve::plan::Wanted;
use crate::silence::as_watched;

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
    for (processor, open) in by_processor {
        let order = Order {
            processor: &processor,
            by: manner.by,
            wait: manner.wait,
        };
        let step = async |mut one: Wanted, moment: &Moment<'_, _>| {
            let resolve = match moment {
                Moment::Silence(fronts) => decide(store, &mut one, fronts, manner.by).await?,
                Moment::StoodBack(back) => done(back.decide(&one.custody, &one.verdict).await)?,
            };
            let id = one.id();
            let Some(how) = told(resolve.clone(), manner) else {
                return Ok(Step::Left(one));
            };
            ended.push(Ended { id, how });
            Ok(if resolve == Resolve::Released {
                Step::Released
            } else {
                Step::Over
            })
        };
        let left = while_nobody_sends(store, order, open, step).await?;
        ended.extend(left.items.iter().map(|one| Ended {
            id: one.id(),
            how: Err(format!("{}: see show", left.why)),
        }));
    }
    Ok(())
}

/// Decides about a payment when no front was heard of. It changes to what is known of it then.
async fn decide(
    store: &impl Resolutions,
    one: &mut Wanted,
    fronts: &Fronts,
    by: &str,
) -> anyhow::Result<Resolve> {
    one.custody = as_watched(&one.custody, fronts);
    let resolve = resolve_silent(store, one, by).await?;
    if resolve != Resolve::Changed {
        return Ok(resolve);
    }
    let case = patiently(|| store.case(one.id())).await?;
    match case.and_then(|case| case.custody) {
        Some(now) if now.entry.processor.as_ref() == Some(&one.named) => one.custody = now,
        Some(_) | None => return Ok(Resolve::Gone),
    }
    // Each no takes the owner out of everybody's hands, and that is no sign of life.
    if one.custody.is_released() {
        return resolve_silent(store, one, by).await;
    }
    Ok(resolve)
}

async fn resolve_silent(
    store: &impl Resolutions,
    one: &Wanted,
    by: &str,
) -> anyhow::Result<Resolve> {
    let step = || store.resolve(&one.custody, &one.verdict, &Proof::Silence, by);
    done(patiently(step).await)
}

fn done(resolve: Result<Resolve, StoreFault>) -> anyhow::Result<Resolve> {
    resolve.context("it is unknown whether the last one was done: see resolutions")
}

/// What is said of it; nothing when the moment had passed.
fn told(resolve: Resolve, manner: Manner<'_>) -> Option<Result<Resolve, String>> {
    Some(match resolve {
        Resolve::Changed => return None,
        Resolve::Settled(_) | Resolve::Released => Ok(resolve),
        Resolve::Gone | Resolve::Unnamed if manner.all => Ok(resolve),
        Resolve::Gone => {
            Err("it ended or left that processor in the meantime: see show".to_owned())
        }
        Resolve::Unnamed => Err("it was released in the meantime: see resolutions".to_owned()),
    })
}

/// How many of these let their payments go.
pub(crate) fn count_of_not_held(wanted: &[Wanted]) -> usize {
    let not_held = wanted.iter().filter(|one| one.verdict == Verdict::NotHeld);
    not_held.count()
}
