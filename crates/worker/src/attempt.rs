//! One attempt at a processor, from naming it in the journal to the ledger.

use feeway_domain::{Doubt, No, Outcome, ProcessorClient, Rename, Store};
use feeway_health::{Ended, Permit, Rank};
use tokio::time::Instant;

use crate::context::Context;
use crate::job::Job;
use crate::persist;
use crate::sabotage::Sabotage;

/// What became of a step, and the payment if it is still ours to work on.
#[derive(Debug)]
pub(crate) enum Done {
    /// Settled, rejected, or no longer ours: it has left our hands.
    Over,
    /// A processor's no: it may go elsewhere.
    Refused(Job, Rank, No),
    /// Nobody knows whether the processor has it: it ends there.
    Doubtful(Job, Doubt),
    /// The processor does not deal with us: it waits there.
    Shunned(Job),
    /// A look-up found nothing: it may be posted again.
    Absent(Job),
    /// A look-up had no usable answer.
    Unclear(Job),
}

/// Sends a payment to the processor of its permit, once its entry names it.
pub(crate) async fn attempt<S: Store, C: ProcessorClient>(
    context: &Context<S, C>,
    mut job: Job,
    permit: Permit,
) -> Done {
    let rank = permit.rank();
    if job.named != Some(rank) || !job.confirmed {
        match name(context, &job, rank).await {
            Named::Yes => {
                job.named = Some(rank);
                job.moves += 1;
                job.confirmed = true;
            }
            // If it is still open and ours, the feeder reads it again as it is now.
            Named::No => return Done::Over,
        }
    }
    // Whoever adopted it may only ask the same processor, so this is for economy alone.
    if job.is_lost() && !Sabotage::SkipFence.is_on() {
        return Done::Over;
    }
    let requested_at = context.config.clock.now();
    if Sabotage::SettleBeforeAnswer.is_on() {
        persist::settle(context, &job, rank, requested_at).await;
    }
    let client = &context.clients[rank.index()];
    let started = Instant::now();
    let outcome = feeway_processor::attempt(client, &job.payment, requested_at).await;
    context.meters.attempted(rank, outcome, started);
    tracing::debug!(id = %job.payment.id, processor = %context.board.name(rank), ?outcome, "attempt");
    if !matches!(outcome, Outcome::Misconfigured { .. }) {
        context.clear_misconfigured(rank);
    }
    match outcome {
        Outcome::Held(requested_at) => {
            permit.ended(Ended::Answered);
            persist::settle(context, &job, rank, requested_at).await;
            Done::Over
        }
        Outcome::NotHeld(no) => {
            permit.ended(match no {
                No::Malformed => Ended::Answered,
                No::Overloaded => Ended::Overloaded,
                No::Failing => Ended::Failed,
                No::Unreachable => Ended::Broken,
            });
            Done::Refused(job, rank, no)
        }
        Outcome::Misconfigured { status } => {
            permit.ended(Ended::Failed);
            context.report_misconfigured(rank, status);
            Done::Shunned(job.pin(&context.meters))
        }
        Outcome::Unknown(doubt) => {
            permit.ended(match doubt {
                Doubt::TimedOut => Ended::TimedOut,
                Doubt::Unconfirmed => Ended::Failed,
                Doubt::Reset | Doubt::Unclear => Ended::Broken,
            });
            Done::Doubtful(job.pin(&context.meters), doubt)
        }
    }
}

enum Named {
    Yes,
    No,
}

async fn name<S: Store, C: ProcessorClient>(context: &Context<S, C>, job: &Job, to: Rank) -> Named {
    let hold = &job.share.tenure().hold;
    let to = context.board.name(to);
    match persist::rename(&context.store, hold, &job.payment, job.moves, to).await {
        Rename::Named => Named::Yes,
        Rename::Gone => Named::No,
        Rename::Fenced if Sabotage::SkipFence.is_on() => Named::Yes,
        Rename::Fenced => {
            job.share.tenure().lose();
            context.hold_lost.notify_one();
            Named::No
        }
        Rename::Differs(processor) => {
            tracing::debug!(id = %job.payment.id, ?processor, "its entry has moved since it was read");
            Named::No
        }
    }
}
