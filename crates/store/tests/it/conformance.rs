//! The behaviours that every store must have, each run against both.

use crate::{
    conformance_absence as absence, conformance_journal as journal, conformance_ledger as ledger,
    conformance_listing as listing, conformance_reopening as reopening,
    conformance_resolution as resolution, conformance_retention as retention,
    conformance_runs as runs, conformance_sites as sites, conformance_stand_back as stand_back,
    conformance_statement as statement, conformance_undo as undo,
};

/// The limit of open payments in every behaviour.
pub(crate) const MAX_OPEN: u64 = 1_000;

macro_rules! both_stores_agree {
    ($($suite:ident: $($behaviour:ident)*;)*) => {
        mod in_redis {
            use super::*;
            use crate::world::InRedis;
            $($(
                #[tokio::test]
                async fn $behaviour() {
                    $suite::$behaviour(&InRedis::new(MAX_OPEN).await).await;
                }
            )*)*
        }

        mod in_memory {
            use super::*;
            use crate::world::InMemory;
            $($(
                #[tokio::test(start_paused = true)]
                async fn $behaviour() {
                    $suite::$behaviour(&InMemory::new(MAX_OPEN)).await;
                }
            )*)*
        }
    };
}

both_stores_agree! {
    journal:
        a_payment_is_kept_once
        a_known_payment_is_known_also_when_full_or_fenced
        intake_ends_at_the_limit
        a_stranger_may_not_accept
        an_entry_names_where_it_may_go
        a_rename_names_the_moves_it_builds_on
        a_rename_needs_an_open_entry_and_a_good_hold
        a_rejected_payment_is_over_and_remembered
        the_queue_is_in_order_of_acceptance
        the_queue_is_read_page_by_page_while_entries_end
        a_silent_owner_is_adopted_once_and_fenced
        a_beat_keeps_an_owner_and_counts_its_payments
        who_resigns_is_adopted_at_once
        only_an_owner_without_payments_is_discharged
        enlisting_twice_is_one_owner;
    ledger:
        a_settled_payment_is_counted_once
        a_settled_payment_ends_its_entry_whoever_owns_it
        a_conflict_counts_for_both_and_is_counted_once
        a_third_processor_is_a_conflict_too
        a_window_is_inclusive_to_the_microsecond
        open_ends_reach_everything
        ten_thousand_payments_of_the_largest_amount
        random_windows_agree_with_a_naive_count
        a_purge_empties_the_ledger_unless_payments_are_open;
    listing:
        the_ledger_is_listed_line_by_line_in_order
        a_window_and_a_cursor_cut_the_listing_exactly
        a_cursor_stays_while_payments_come
        a_cursor_of_nothing_that_is_there_is_a_place_too
        open_payments_of_all_owners_are_listed_by_acceptance
        rejected_payments_are_listed_with_the_reason
        a_conflict_is_listed_once_for_each_holder;
    retention:
        what_is_older_than_the_retention_counts_in_whole_hours
        a_closed_hour_may_be_cut_where_nothing_was_settled
        only_the_hour_of_an_edge_matters
        single_payments_go_a_day_after_their_hour_is_closed
        a_settle_in_closed_books_counts_nowhere_and_is_known
        rejections_are_forgotten_after_the_retention
        of_a_conflict_each_holder_goes_in_its_time
        whatever_is_answered_after_retiring_is_right;
    resolution:
        a_case_says_who_has_an_open_payment_in_hand
        a_case_tells_the_end_of_a_payment
        an_operators_yes_is_settled_once_and_recorded
        after_an_operators_no_the_next_front_may_send_it_anywhere
        nothing_is_resolved_that_a_living_front_has_in_hand
        a_verdict_speaks_of_the_processor_that_is_named
        a_verdict_is_not_of_a_later_payment_with_the_same_id
        the_record_of_resolutions_is_bounded;
    reopening:
        what_is_reopened_is_open_for_the_next_front_and_recorded
        only_what_is_rejected_is_reopened
        what_is_reopened_together_has_one_owner_whoever_holds_it
        what_was_reopened_may_be_rejected_and_reopened_again
        restamps_are_noted_once_and_the_newest_are_kept;
    stand_back:
        an_order_is_read_until_it_ends
        the_same_token_again_changes_nothing
        only_the_order_that_was_seen_is_ended
        an_order_builds_on_the_last_one
        a_late_order_does_not_come_back
        an_order_that_has_ended_proves_nothing
        a_confirmation_needs_the_order_and_a_good_hold
        while_all_stand_back_the_living_are_not_asked_for_their_payments
        after_a_no_the_hold_stays_good_and_what_is_believed_of_the_entry_is_not
        nothing_is_decided_before_every_living_front_has_confirmed
        nothing_is_decided_under_another_order
        what_a_front_confirmed_is_void_once_it_has_a_new_hold
        an_adopter_confirms_for_what_it_adopted
        a_decision_speaks_of_the_entry_that_was_seen;
    statement:
        what_only_an_export_has_is_settled_once
        what_another_processor_holds_is_not_settled
        what_is_known_with_another_amount_is_not_settled
        nothing_is_settled_at_an_impossible_time
        nothing_is_settled_in_closed_books
        nothing_is_settled_by_an_export_while_somebody_may_send
        the_fee_that_was_told_last_is_known;
    runs:
        a_run_is_recorded_with_its_payments
        a_run_settles_a_payment_once
        after_a_purge_no_run_takes_anything_back
        runs_forget_their_payments_after_the_retention
        the_record_of_runs_is_bounded;
    undo:
        what_is_taken_back_is_in_no_sum_and_no_list
        of_what_was_the_only_one_nothing_is_left
        what_was_taken_back_is_taken_back_once
        half_an_undo_is_done_again
        what_was_taken_back_before_is_not_confirmed
        what_was_open_is_open_again_as_it_was
        what_the_shop_has_sent_meanwhile_is_open_afterwards
        who_sends_again_changes_no_entry
        what_was_rejected_is_rejected_again
        what_something_else_has_touched_stays
        what_lies_in_closed_books_stays;
    absence:
        a_note_is_of_the_moves_that_the_entry_has
        a_note_needs_a_good_hold
        who_adopts_reads_the_notes_and_goes_on
        the_end_of_a_payment_ends_its_note
        an_operators_no_voids_a_note
        notes_are_read_in_the_order_of_the_ids
        who_left_long_ago_is_told_first
        who_left_again_is_forgotten_only_as_seen
        of_those_who_left_the_newest_are_kept
        a_look_up_is_trusted_by_name_and_url
        a_purge_forgets_who_left_and_not_who_is_trusted
        a_rejection_keeps_what_each_processor_said;
    sites:
        who_comes_first_enters_its_processors
        another_url_waits_for_those_that_live_with_the_known_one
        who_says_nothing_of_its_processors_may_send_anywhere
        who_holds_an_adopted_owner_sends_with_its_own_urls
        who_was_silent_can_do_nothing_before_it_comes_again
        a_url_that_somebody_vouches_for_is_known_from_then_on
        of_the_urls_of_a_processor_the_newest_are_known
        open_entries_are_counted_by_the_processor_that_they_name
        a_purge_forgets_no_url;
}
