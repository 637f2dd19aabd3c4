//! Moments in which nobody sends anything to a processor: either all fronts stand back from it,
//! or none lives.

use std::time::Duration;

use anyhow::Context;
use feeway_domain::{Fronts, ProcessorName, Proof, Resolutions};

use crate::patience::patiently;
use crate::silence::{WATCH, watch};
use crate::stood_back::{StoodBack, Waited, in_force, not_in_time};

/// How often such a moment may pass, by fronts that come, go or take over from each other.
const ROUNDS: usize = 20;

/// From which processor fronts are to stand back, by whose order, and for how long they may take.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Order<'a> {
    pub(crate) processor: &'a ProcessorName,
    pub(crate) by: &'a str,
    pub(crate) wait: Duration,
}

/// What makes sure that nobody sends.
#[derive(Debug)]
pub(crate) enum Moment<'a, S> {
    /// No front was heard of, and these own what is open.
    Silence(&'a Fronts),
    /// All who live have confirmed an order.
    StoodBack(&'a StoodBack<'a, S>),
}

impl<S: Resolutions> Moment<'_, S> {
    pub(crate) fn proof(&self) -> Proof {
        match self {
            Self::Silence(_) => Proof::Silence,
            Self::StoodBack(back) => back.proof(),
        }
    }
}

/// What became of one.
#[derive(Debug)]
pub(crate) enum Step<T> {
    /// It is done, or nothing can be.
    Over,
    /// It was let go by the processor: nothing else may be pinned there after that, so the order
    /// stays in force.
    Released,
    /// The moment had passed.
    Left(T),
}

/// What was not carried out, and why.
#[derive(Debug)]
pub(crate) struct Left<T> {
    pub(crate) items: Vec<T>,
    pub(crate) why: String,
}

/// Takes a step with each of them in such a moment, and in the next one with what is left.
pub(crate) async fn while_nobody_sends<S: Resolutions, T>(
    store: &S,
    order: Order<'_>,
    mut open: Vec<T>,
    mut step: impl AsyncFnMut(T, &Moment<'_, S>) -> anyhow::Result<Step<T>>,
) -> anyhow::Result<Left<T>> {
    let mut late = None;
    for _ in 0..ROUNDS {
        if open.is_empty() || late.is_some() {
            break;
        }
        let fronts = patiently(|| store.fronts()).await?;
        if fronts.living().is_empty() {
            open = in_silence(store, open, &mut step).await?;
        } else {
            (open, late) = stood_back(store, order, open, &mut step).await?;
        }
    }
    let why = late.unwrap_or_else(|| "a front appeared at the last moment".to_owned());
    Ok(Left { items: open, why })
}

/// Without any front. Returns what is left when one is heard of after all.
async fn in_silence<S: Resolutions, T>(
    store: &S,
    open: Vec<T>,
    step: &mut impl AsyncFnMut(T, &Moment<'_, S>) -> anyhow::Result<Step<T>>,
) -> anyhow::Result<Vec<T>> {
    eprintln!(
        "no front is running; watching for {} s that none appears …",
        WATCH.as_secs()
    );
    let Some(fronts) = watch(store).await? else {
        return Ok(open);
    };
    let mut is_released = false;
    each(open, &Moment::Silence(&fronts), step, &mut is_released).await
}

/// While fronts live. Returns what is left when none does any longer, or when some did not stand
/// back in time, and who.
async fn stood_back<S: Resolutions, T>(
    store: &S,
    order: Order<'_>,
    mut open: Vec<T>,
    step: &mut impl AsyncFnMut(T, &Moment<'_, S>) -> anyhow::Result<Step<T>>,
) -> anyhow::Result<(Vec<T>, Option<String>)> {
    let processor = order.processor;
    let begun = StoodBack::begin(store, processor, order.by).await;
    let mut back = begun.with_context(|| in_force(processor))?;
    eprintln!("telling the fronts to stand back from {processor} …");
    let (mut late, mut is_released) = (None, false);
    for _ in 0..ROUNDS {
        if open.is_empty() {
            break;
        }
        let tell = |names: &[String]| eprintln!("waiting for {} …", names.join(", "));
        let waited = back.wait(order.wait, tell).await;
        match waited.with_context(|| in_force(processor))? {
            Waited::All => {}
            Waited::Nobody => break,
            Waited::Still(names) => {
                late = Some(not_in_time(&names, processor));
                break;
            }
        }
        let moment = Moment::StoodBack(&back);
        let left = each(open, &moment, step, &mut is_released).await;
        open = left.with_context(|| in_force(processor))?;
    }
    let is_ours = back.is_ours();
    let ended = back.end(is_released).await;
    ended.with_context(|| in_force(processor))?;
    if is_released {
        eprintln!(
            "the fronts still stand back from {processor}, so that nothing is pinned to it again: \
             start them without it, or end the order with stand-back {processor} --end"
        );
    } else if !is_ours {
        eprintln!("the fronts still stand back from {processor}, as before");
    }
    Ok((open, late))
}

/// Returns those for which the moment had passed.
async fn each<S, T>(
    open: Vec<T>,
    moment: &Moment<'_, S>,
    step: &mut impl AsyncFnMut(T, &Moment<'_, S>) -> anyhow::Result<Step<T>>,
    is_released: &mut bool,
) -> anyhow::Result<Vec<T>> {
    let mut left = Vec::new();
    for one in open {
        match step(one, moment).await? {
            Step::Over => {}
            Step::Released => *is_released = true,
            Step::Left(one) => left.push(one),
        }
    }
    Ok(left)
}
