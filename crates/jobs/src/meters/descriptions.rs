//! What the metrics mean, as `/metrics` says it.

use metrics::{describe_counter, describe_gauge, describe_histogram};

type Described = (&'static str, &'static str);

const COUNTERS: &[Described] = &[
    (
        "feeway_payments_accepted_total",
        "Payments written into the journal that were not known before.",
    ),
    (
        "feeway_payments_repeated_total",
        "Payments answered with 202 that were known before, with the same amount.",
    ),
    (
        "feeway_payments_settled_total",
        "Payments that this front settled in the ledger.",
    ),
    (
        "feeway_payments_rejected_total",
        "Payments that every processor declined.",
    ),
    (
        "feeway_settled_cents_total",
        "Amounts that this front settled, in cents.",
    ),
    (
        "feeway_fees_cents_total",
        "Fees on the amounts that this front settled, in cents.",
    ),
    (
        "feeway_fees_saved_cents_total",
        "How much more the fees would have been at the dearest processor, in cents.",
    ),
    ("feeway_attempts_total", "Attempts that ended, by outcome."),
    (
        "feeway_conflicts_total",
        "Settlements of payments that another processor holds too. It must stay 0.",
    ),
    (
        "feeway_settled_in_closed_books_total",
        "Settlements in hours that are closed, which no summary counts.",
    ),
    (
        "feeway_unreadable_answers_total",
        "Payments for which a processor's answer to a look-up could not be read.",
    ),
    (
        "feeway_misdelivered_answers_total",
        "Payments that may have got another payment's answer and whose books differ from the processor's.",
    ),
    (
        "feeway_impossible_times_total",
        "Payments that a processor holds at a time at which it cannot have taken them.",
    ),
    (
        "feeway_adoptions_total",
        "Fronts, or earlier processes of this one, whose open payments this front took over.",
    ),
    (
        "feeway_payments_adopted_total",
        "Payments of adopted owners that this front took in hand.",
    ),
];

const GAUGES: &[Described] = &[
    (
        "feeway_pinned_payments",
        "Payments in hand that must end at the processor they name.",
    ),
    (
        "feeway_unconfigured_payments",
        "Open payments that must end at a processor which this front does not know.",
    ),
    (
        "feeway_lane_payments",
        "Payments that a lane has in hand, waiting or in flight.",
    ),
    (
        "feeway_lane_queue_payments",
        "Payments that wait in the channel of a lane, or in the one shared by all lanes.",
    ),
    (
        "feeway_payments_in_hand",
        "Payments that this front has in hand, intake included.",
    ),
    (
        "feeway_open_payments",
        "Payments that this front owns and that are accepted but not settled, at its last heartbeat.",
    ),
    (
        "feeway_redis_clock_offset_seconds",
        "This machine's clock minus Redis's, at the last heartbeat.",
    ),
    (
        "feeway_attempts_in_flight",
        "Attempts without an answer so far.",
    ),
    (
        "feeway_breaker_open",
        "1 while the processor is failing and gets probes only.",
    ),
    (
        "feeway_processor_slow",
        "1 while the processor works but takes longer than --max-latency.",
    ),
    (
        "feeway_standing_back",
        "1 while an operator keeps this front from starting anything at the processor.",
    ),
    (
        "feeway_processor_expected_latency_seconds",
        "What an attempt started now is expected to take.",
    ),
];

const HISTOGRAMS: &[Described] = &[
    (
        "feeway_journal_write_duration_seconds",
        "How long the journal took to answer one intake.",
    ),
    (
        "feeway_settle_duration_seconds",
        "How long one settle took, including up to 5 ms of waiting for others to go with it.",
    ),
    (
        "feeway_payment_open_duration_seconds",
        "From acceptance to the ledger.",
    ),
    (
        "feeway_attempt_duration_seconds",
        "How long one attempt took, its confirmation included.",
    ),
];

/// Tells the recorder of this process.
pub(super) fn describe() {
    for (name, help) in COUNTERS {
        describe_counter!(*name, *help);
    }
    for (name, help) in GAUGES {
        describe_gauge!(*name, *help);
    }
    for (name, help) in HISTOGRAMS {
        describe_histogram!(*name, *help);
    }
}
