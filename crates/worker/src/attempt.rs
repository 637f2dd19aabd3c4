//! One attempt at a processor, from naming it in the journal to the ledger.

use std::sync::Arc;

use feeway_domain::{
    Doubt, LAPSE, No, Outcome, ProcessorClient, Refusal, Rename, RequestedAt, Store,
};
use feeway_health::{Ended, Flight, Permit, Rank};
use feeway_jobs::declines::Turn;
use feeway_jobs::doubt::note_doubt;
use feeway_jobs::job::{Bond, Job};
use feeway_jobs::sabotage::Sabotage;
use tokio::time::Instant;

use crate::context::Context;
use crate::look_ups::note_held;
use crate::persist;
use crate::restamp;
use crate::watched::Watched;

/// What became of a step, and the payment if it is still ours to work on.
#[derive(Debug)]
pub(crate) enum Done {
    /// Settled, rejected, or no longer ours: it has left our hands.
    Over,
    /// It was not sent, since an operator wants nothing to be started there, or this front
    /// stands still.
    NotSent(Job),
    /// A processor did not take it, and nothing ties it to that one: it may go elsewhere.
    NotHeld(Job),
    /// A processor declined it for good: it may go to the others.
    Declined(Job),
    /// A processor refused it, which a late absence has to prove.
    Refused(Job),
    /// Nobody knows whether the processor has it: it ends there.
    Doubtful(Job),
    /// A look-up found nothing.
    Absent(Job),
    /// A look-up had no usable answer.
    Unclear(Job),
}

/// Sends a payment to the processor of its permit, once its entry names it.
pub(crate) async fn attempt<S: Store, C: ProcessorClient>(
    context: &Arc<Context<S, C>>,
    mut job: Job,
    permit: Permit,
) -> Done {
    let rank = permit.rank();
    let board = &context.board;
    let adoptions = context.config.standstill.adoptions();
    if job.adoptions != adoptions {
        job.adoptions = adoptions;
        // The store has forgotten what became of it, and so may others have who had it in hand
        // before us. It ends where it is named, and is looked up there before anything is sent.
        if job.named.is_some() {
            return Done::Doubtful(job.pin(board, &context.meters));
        }
    }
    // Until the ledger has it, or it is put down, the processor may have it.
    let _claim = board.claim(rank);
    // A naming of long ago may have been forgotten by the store, or by us in our sleep; one from
    // before an order to stand back may have been undone by an operator.
    let is_recent = job.named_at.elapsed() <= LAPSE / 2 && job.named_in == board.shifts();
    let is_current = job.confirmed && is_recent;
    if job.named != Some(rank) || !is_current {
        match name(context, &job, rank).await {
            Named::Yes => job.renamed(rank, board.shifts()),
            // If it is still open and ours, the feeder reads it again as it is now.
            Named::No => return Done::Over,
            Named::Gone => {
                persist::look_up_later(context, &job).await;
                return Done::Over;
            }
        }
    }
    // Whoever adopted it may only ask the same processor, so this is for economy alone.
    if job.is_lost() && !Sabotage::SkipFence.is_on() {
        persist::leave(context, &job).await;
        return Done::Over;
    }
    if board.stands_back(rank) || !context.may_start() {
        return Done::NotSent(job);
    }
    let requested_at = context.time_of_day(Some((job.accepted, job.accepted_at)));
    if Sabotage::SettleBeforeAnswer.is_on() {
        persist::settle(context, &job, rank, requested_at).await;
    }
    job.add_stamp(rank, requested_at);
    let turn = context.declines.start(rank);
    let started = Instant::now();
    let outcome = ask(context, &job, rank, requested_at).await;
    context.meters.attempted(rank, outcome, started);
    tracing::debug!(id = %job.payment.id, processor = %board.name(rank), ?outcome, "attempt");
    note_configuration(context, rank, outcome);
    note_for_declines(context, &mut job, rank, turn, outcome);
    let flight = permit.flight();
    permit.ended(ended(outcome, job.refused_by(rank)));
    match outcome {
        Outcome::Held(theirs) => {
            if theirs == requested_at {
                note_held(context, rank, &job.payment);
            }
            match restamp::book(context, job, rank, theirs).await {
                None => Done::Over,
                Some(mut job) => {
                    job.seen_by.add(rank);
                    Done::Doubtful(job.pin(&context.board, &context.meters))
                }
            }
        }
        Outcome::NotHeld(no) => not_held(context, job, flight, no).await,
        Outcome::Refused(refusal) => {
            job.seen_by.add(rank);
            refused(context, job, flight, Some(refusal)).await
        }
        Outcome::Unknown(doubt) => {
            job.seen_by.add(rank);
            note_doubt(&mut job, doubt, Instant::now());
            Done::Doubtful(job.pin(board, &context.meters))
        }
    }
}

async fn ask<S: Store, C: ProcessorClient>(
    context: &Arc<Context<S, C>>,
    job: &Job,
    rank: Rank,
    requested_at: RequestedAt,
) -> Outcome {
    let client = Watched::new(context, rank);
    let is_first = job.bond == Bond::Free && !job.seen_by.has(rank);
    let declines_are_final = context.config.processors[rank.index()].declines_are_final;
    feeway_attempt::attempt(
        &client,
        &job.payment,
        requested_at,
        is_first,
        declines_are_final,
    )
    .await
}

/// What an outcome says of the processor.
fn ended(outcome: Outcome, earlier: Option<Flight>) -> Ended {
    match outcome {
        Outcome::Unknown(_) if Sabotage::FreshProbesAfterDoubt.is_on() => {
            Ended::Failed { earlier: None }
        }
        Outcome::Held(_)
        | Outcome::NotHeld(No::Declined { .. })
        | Outcome::Refused(Refusal::Declined { .. }) => Ended::Answered,
        Outcome::Refused(Refusal::Failing { .. }) | Outcome::NotHeld(No::Misconfigured { .. }) => {
            Ended::Failed { earlier }
        }
        Outcome::NotHeld(No::Unreachable) => Ended::Unreachable,
        Outcome::NotHeld(No::Overloaded { retry_after }) => Ended::Overloaded {
            retry_after,
            earlier,
        },
        Outcome::Unknown(Doubt::TimedOut) => Ended::TimedOut,
        Outcome::Unknown(Doubt::Reset | Doubt::Unclear | Doubt::Redirected { .. }) => Ended::Broken,
        Outcome::Unknown(Doubt::Unconfirmed) => Ended::Unconfirmed,
    }
}

/// Says once that a processor refuses to deal with us, and once that it does again.
fn note_configuration<S: Store, C: ProcessorClient>(
    context: &Context<S, C>,
    rank: Rank,
    outcome: Outcome,
) {
    match outcome {
        Outcome::NotHeld(No::Misconfigured { status })
        | Outcome::Unknown(Doubt::Redirected { status }) => {
            context.report_misconfigured(rank, status);
        }
        Outcome::Held(_) | Outcome::Refused(_) => context.clear_misconfigured(rank),
        Outcome::NotHeld(No::Unreachable | No::Overloaded { .. } | No::Declined { .. })
        | Outcome::Unknown(Doubt::TimedOut | Doubt::Reset | Doubt::Unclear | Doubt::Unconfirmed) => {
        }
    }
}

/// Notes what tells of this decline, or of others next to it, whether they are final.
fn note_for_declines<S: Store, C: ProcessorClient>(
    context: &Context<S, C>,
    job: &mut Job,
    rank: Rank,
    turn: Turn,
    outcome: Outcome,
) {
    match outcome {
        Outcome::Held(theirs) if job.stamps_at(rank).next() == Some(theirs) => {
            context.declines.held(rank, turn);
        }
        Outcome::NotHeld(No::Declined { .. }) | Outcome::Refused(Refusal::Declined { .. }) => {
            let declined = context.declines.declined(rank, turn, job.payment.id);
            job.last_declined = Some(declined);
        }
        // Held since an earlier attempt, it says nothing of now.
        Outcome::Held(_)
        | Outcome::NotHeld(No::Unreachable | No::Overloaded { .. } | No::Misconfigured { .. })
        | Outcome::Refused(Refusal::Failing { .. })
        | Outcome::Unknown(_) => {}
    }
}

async fn not_held<S: Store, C: ProcessorClient>(
    context: &Context<S, C>,
    mut job: Job,
    flight: Flight,
    no: No,
) -> Done {
    let Some(rank) = job.named else {
        return Done::Over;
    };
    match (job.bond, no) {
        (Bond::Free, No::Declined { status }) => {
            job.add_decline(rank, status);
            note_last_decline(context, &mut job).await;
            Done::Declined(job)
        }
        (Bond::Free, No::Unreachable | No::Overloaded { .. } | No::Misconfigured { .. }) => {
            job.refused = Some((rank, flight));
            Done::NotHeld(job)
        }
        // An earlier attempt may have been stored: this no is not about that one.
        (Bond::Refused { by, .. }, _) => refused(context, job, flight, by).await,
        (Bond::Doubt, _) => despite_doubt(job),
    }
}

/// Without anywhere to go now, a payment waits in hand, and a front that finds it in the journal
/// must know that nothing of it is under way.
async fn note_last_decline<S: Store, C: ProcessorClient>(context: &Context<S, C>, job: &mut Job) {
    let declined = job.declined_by();
    if context.board.ranks().all(|rank| declined.has(rank)) {
        job.confirmed = false;
        persist::note_answered(context, job).await;
    }
}

/// Every attempt has ended, and the processor says no: notes it, unless an earlier attempt has
/// no answer.
async fn refused<S: Store, C: ProcessorClient>(
    context: &Context<S, C>,
    mut job: Job,
    flight: Flight,
    by: Option<Refusal>,
) -> Done {
    let Some(rank) = job.named else {
        return Done::Over;
    };
    job.refused = Some((rank, flight));
    if job.bond == Bond::Doubt {
        return despite_doubt(job);
    }
    let at = Instant::now();
    job.bind(Bond::Refused { at, by }, &context.board);
    // Whether or not the note arrives, no attempt follows without a renaming.
    job.confirmed = false;
    persist::note_answered(context, &job).await;
    Done::Refused(job)
}

/// A no to an attempt whose payment is in doubt because of an earlier one.
fn despite_doubt(mut job: Job) -> Done {
    if Sabotage::CrossOverDespiteDoubt.is_on() {
        job.free();
        return Done::NotHeld(job);
    }
    Done::Doubtful(job)
}

enum Named {
    Yes,
    No,
    /// There is no such entry of ours.
    Gone,
}

async fn name<S: Store, C: ProcessorClient>(context: &Context<S, C>, job: &Job, to: Rank) -> Named {
    let hold = &job.share.tenure().hold;
    let to = context.board.name(to);
    match persist::rename(&context.store, hold, &job.payment, job.moves, to).await {
        Rename::Named => Named::Yes,
        Rename::Gone => Named::Gone,
        Rename::Fenced if Sabotage::SkipFence.is_on() => Named::Yes,
        Rename::Fenced => {
            context.lose(job.share.tenure());
            Named::No
        }
        Rename::Differs(processor) => {
            tracing::debug!(id = %job.payment.id, ?processor, "its journal entry has changed since it was read");
            Named::No
        }
    }
}
