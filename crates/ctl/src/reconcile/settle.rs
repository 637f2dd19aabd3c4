//! Settles what only the processor has, once it was shown, while nobody sends anything there.

use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::io::{Write, stderr};

use anyhow::Context;
use feeway_domain::{
    Fee, MAX_RUN_PAYMENTS, Payment, Proof, Resolutions, Run, Settlement, Stated, Total,
};

use super::export::Export;
use super::missing::Missing;
use super::plan::{self, Plan};
use crate::asking;
use crate::moment::{Moment, Order, Step, while_nobody_sends};
use crate::options::Reconcile;
use crate::patience::patiently;
use crate::preview::{amount, payments};

/// The most payments of one run: the one before it is kept beside it.
const RUN_PAYMENTS: usize = MAX_RUN_PAYMENTS / 2;

/// As much of the name of a file is kept.
const MAX_FILE_CHARS: usize = 200;

const VOUCHED: &str = "You vouch that the file is that processor's and that each line of it was a \
                       payment of ours: if you are wrong, the shop counts on money that nobody \
                       took.";

/// Shows what would be settled, asks, and settles it. Notes of each payment what became of it.
pub(super) async fn settle(
    store: &impl Resolutions,
    asked: &Reconcile,
    fee: Fee,
    missing: &mut [Missing],
    export: &Export,
    out: &mut impl Write,
) -> anyhow::Result<()> {
    let plan = plan::make(store, asked, fee, missing, export).await?;
    if asked.dry_run && !asked.json {
        plan.preview(asked, fee, missing, out)?;
    } else {
        plan.preview(asked, fee, missing, &mut stderr())?;
    }
    let Plan {
        wanted,
        refused,
        objections,
    } = plan;
    for (place, why) in refused {
        missing[place].done = Some(format!("not settled: {why}"));
    }
    if asked.dry_run || wanted.is_empty() {
        return Ok(());
    }
    if !objections.is_empty() {
        eprintln!("nothing was done");
        return Ok(());
    }
    if !asked.yes && !asking::is_confirmed(Some(VOUCHED))? {
        return Ok(());
    }
    let parts = wanted.chunks(RUN_PAYMENTS);
    for part in parts {
        let mut settling = Settling {
            store,
            asked,
            fee,
            missing,
            run: run(asked, part.len()),
            settled: Total::default(),
        };
        let carried_out = settling.carry_out(part.to_vec()).await;
        settling.tell();
        carried_out?;
    }
    Ok(())
}

/// A new run, for the record.
fn run(asked: &Reconcile, expected: usize) -> Run {
    let id = format!("{:016x}", RandomState::new().build_hasher().finish());
    let file = asked.file.to_string_lossy();
    let plain = file.chars().filter(|one| !one.is_control());
    Run {
        id,
        file: plain.take(MAX_FILE_CHARS).collect(),
        by: asked.by.clone(),
        expected,
    }
}

/// One run.
struct Settling<'a, S> {
    store: &'a S,
    asked: &'a Reconcile,
    fee: Fee,
    missing: &'a mut [Missing],
    run: Run,
    settled: Total,
}

impl<S: Resolutions> Settling<'_, S> {
    /// Says what was settled, and how to take it back.
    fn tell(&self) {
        let count = payments(usize::try_from(self.settled.count).unwrap_or(usize::MAX));
        let (sum, id) = (amount(&self.settled), &self.run.id);
        if self.settled.count == 0 {
            eprintln!("nothing was settled");
        } else {
            eprintln!("settled {count}, {sum} in all, as run {id}: undo {id} takes it back");
        }
    }

    /// Settles one after the other while nobody sends anything there.
    async fn carry_out(&mut self, open: Vec<usize>) -> anyhow::Result<()> {
        let (store, asked) = (self.store, self.asked);
        let order = Order {
            processor: &asked.processor,
            by: &asked.by,
            wait: asked.wait,
        };
        let step = async |place, moment: &Moment<'_, S>| {
            let stated = self.state(place, &moment.proof()).await?;
            Ok(self.note(place, stated))
        };
        let left = while_nobody_sends(store, order, open, step).await?;
        for place in left.items {
            self.missing[place].done = Some(format!("not settled: {}", left.why));
        }
        Ok(())
    }

    async fn state(&self, place: usize, proof: &Proof) -> anyhow::Result<Stated> {
        let settlement = self.settlement(place);
        let slip = self.asked.clock_slip;
        let step = || {
            self.store
                .settle_stated(&settlement, &self.run, slip, proof)
        };
        let stated = patiently(step).await;
        stated.context("it is unknown whether the last one was settled: run the command again")
    }

    fn note(&mut self, place: usize, stated: Stated) -> Step<usize> {
        let text = match stated {
            Stated::Changed => return Step::Left(place),
            Stated::Settled => {
                let cents = self.missing[place].theirs.amount.cents();
                self.settled.add(1, i128::from(cents));
                "settled".to_owned()
            }
            Stated::Known => "settled".to_owned(),
            Stated::Elsewhere { holder } => format!("not settled: it is settled at {holder}"),
            Stated::AmountDiffers { ours } => format!("not settled: its amount here is {ours}"),
            Stated::Impossible => "not settled: it was accepted later than that".to_owned(),
            Stated::TooOld { oldest } => {
                format!("not settled: the books before {oldest} are closed")
            }
        };
        self.missing[place].done = Some(text);
        Step::Over
    }

    fn settlement(&self, place: usize) -> Settlement {
        let theirs = self.missing[place].theirs;
        Settlement {
            payment: Payment {
                id: theirs.id,
                amount: theirs.amount,
            },
            processor: self.asked.processor.clone(),
            requested_at: theirs.requested_at,
            fee: self.fee,
        }
    }
}
