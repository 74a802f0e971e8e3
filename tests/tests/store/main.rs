//! The contract of the store: one suite, run on every adapter.
//!
//! A test is an async function over a [`Fixture`]; `contract!` runs each on SQLite and on PostgreSQL. Names
//! begin with the rule of delivery they hold, so a broken rule shows by its number.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a failed assumption is a failed test")]

mod cancel;
mod changing_schema;
mod claims;
mod clock;
mod definitions;
mod durability;
mod expiry;
mod figures;
mod finalization;
mod fixture;
mod full_limits;
mod hidden;
mod keys;
mod leases;
mod limit_locks;
mod limits;
mod lists;
mod older;
mod pauses;
mod plans;
mod postgres_only;
mod presences;
mod queue;
mod queues;
mod rates;
mod reading;
mod retention;
mod schedules;
mod shares;
mod situations;
mod statistics;
mod tokens;
mod values;
mod webhooks;
mod workflow_limits;

macro_rules! contract {
    ($($module:ident { $($test:ident,)+ })*) => {
        contract!(sqlite: $($($module $test)+)*);
        contract!(postgres: $($($module $test)+)*);
    };
    ($adapter:ident: $($module:ident $test:ident)*) => {
        mod $adapter {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $test() {
                    crate::$module::$test(crate::fixture::$adapter().await).await;
                }
            )*
        }
    };
}

contract! {
    queue {
        rule_1_a_row_carries_everything_needed_to_run_it,
        rule_6_waiting_rows_come_by_priority_with_aging,
        rule_6_a_row_is_not_claimed_before_it_is_due,
        rule_7_submitting_commits_a_row_and_wakes_the_poll,
        rule_23_an_unusable_execution_is_recorded_only_if_nothing_is_known,
        rule_24_only_unusable_rows_can_be_reopened,
        what_waits_does_not_wait_for_a_clock_that_was_set_back,
        the_depth_of_the_queue_is_known,
        what_waits_in_each_queue_is_known,
        what_a_message_brings_waits_since_it_was_published,
    }
    queues {
        a_supervisor_claims_only_what_waits_in_its_queues,
        the_queues_are_read_in_one_order,
        a_message_for_another_queue_becomes_a_row,
        what_is_lost_is_taken_over_by_those_who_serve_its_queue,
        another_queues_row_is_not_due_here,
        those_that_go_before_a_row_are_counted,
    }
    workflow_limits {
        no_more_of_a_workflow_run_than_its_row_says,
        what_waited_before_its_workflow_had_a_limit_obeys_it,
        what_waited_before_is_told_what_it_waits_for,
        a_late_key_is_read_from_the_request,
        a_message_of_a_limited_workflow_becomes_a_row,
        children_and_ticks_are_in_their_workflows_limits,
        the_row_says_the_queue_where_the_message_does_not,
        the_row_stands_above_the_code,
        what_code_declares_is_known_to_all_processes,
        a_row_that_is_changed_by_hand_counts,
        the_workflow_of_an_organization_has_a_limit_of_its_own,
        a_limit_is_changed_with_the_rest_of_what_is_defined,
        a_workflows_own_limit_may_refuse,
    }
    shares {
        a_backlog_of_one_organization_does_not_keep_others_waiting,
        whoever_had_less_worker_time_goes_first,
        a_weight_is_worker_time,
        what_one_has_no_use_for_others_get_with_the_next_claim,
        whoever_has_nothing_any_more_costs_nobody_a_claim,
        who_was_not_known_is_found_when_those_who_were_have_nothing,
        a_claim_that_finds_nothing_says_whether_that_is_all,
        what_is_to_run_later_is_offered_no_start,
        in_every_queue_that_is_served_the_one_share_counts,
        of_more_organizations_than_one_look_finds_all_are_served,
    }
    expiry {
        what_is_to_start_later_becomes_a_row,
        a_moment_that_is_over_holds_nothing_up,
        what_has_not_started_in_time_is_cancelled,
        what_has_expired_is_not_claimed,
        an_attempt_keeps_an_execution_from_expiring,
        messages_that_come_too_late_do_not_run,
    }
    keys {
        a_second_submit_is_the_first_ones_execution,
        a_key_counts_within_one_group_too,
        no_key_stands_for_the_execution_of_another_request,
        a_message_with_a_known_key_runs_nothing,
        a_key_is_free_when_its_time_is_over_or_its_row_is_gone,
        of_many_that_come_together_exactly_one_is_made,
    }
    claims {
        rule_2_the_attempt_rises_with_every_claim,
        rule_2_a_take_over_charges_and_the_last_one_is_lost,
        rule_2_ten_releases_are_not_charged_and_the_eleventh_is,
        rule_4_a_duplicate_changes_nothing,
        rule_4_the_same_id_twice_in_a_group_is_one_claim,
        rule_4_a_claim_can_be_read_back,
        rule_4_of_many_claimers_exactly_one_wins,
        rule_6_polls_never_share_a_row,
        rule_27_rows_of_an_earlier_process_are_lost_at_once,
    }
    leases {
        rule_10_renewal_extends_exactly_the_list,
        rule_10_a_row_in_our_name_that_nobody_holds_is_named,
        rule_10_a_later_attempt_is_a_stray_though_an_earlier_one_is_held,
        rule_10_renewal_tells_who_was_superseded,
        rule_10_what_we_ended_ourselves_is_not_superseded,
        rule_11_an_expired_lease_still_finalizes,
        rule_12_take_over_waits_for_a_renewal_that_could_have_come,
        rule_12_what_is_renewed_after_the_last_look_is_not_taken_over,
        a_start_is_recorded_only_under_the_fence,
    }
    finalization {
        a_retry_that_is_due_soon_wakes_whoever_polls,
        rule_14_after_a_take_over_nothing_of_the_old_attempt_is_written,
        rule_14_two_attempts_in_one_group_write_what_the_fence_lets_through,
        rule_14_several_outcomes_are_one_call,
        rule_15_changes_apply_with_every_terminal_state,
        rule_15_changes_never_apply_with_a_retry_and_logs_always_persist,
        rule_15_the_last_write_to_a_key_wins,
        rule_16_a_refused_value_does_not_poison_the_group,
        rule_16_character_zero_in_a_log_fails_nothing,
        rule_17_finalizing_again_says_what_was_written,
        rule_17_ends_stay_unnotified_until_marked,
        rule_17_where_nobody_else_hears_of_it_an_end_is_published_with_its_commit,
        rule_25_children_commit_with_the_parents_outcome,
        a_retry_goes_back_while_attempts_are_left,
        a_retry_may_raise_how_many_attempts_there_are,
        large_values_come_back_whole,
    }
    cancel {
        rule_18_several_are_cancelled_in_one_go,
        what_waits_is_given_up_as_is_said_of_it,
        rule_20_a_waiting_row_is_cancelled_at_once,
        rule_20_an_unknown_id_leaves_a_tombstone,
        rule_20_a_running_row_is_asked_and_learns_it_at_renewal,
        rule_20_a_cancelled_row_is_not_taken_over,
        rule_20_a_cancelled_row_does_not_go_back,
        rule_20_cancel_against_finalize_gives_one_terminal_state,
        rule_21_an_outcome_stands_against_a_cancel_request,
    }
    values {
        what_was_submitted_starts_every_attempt_byte_for_byte,
        results_and_state_come_back_byte_for_byte,
        half_characters_in_log_fields_fail_nothing,
        rule_16_a_refused_end_gives_up_fields_then_its_log_and_stays_what_it_is,
        rule_16_a_result_that_is_refused_costs_its_own_execution_only,
        a_row_that_cannot_be_claimed_fails_alone,
        a_row_that_somebody_wrote_by_hand_is_claimed_and_not_in_the_way,
    }
    definitions {
        rows_are_written_changed_and_removed,
        whoever_is_late_writes_nothing,
        a_change_that_is_refused_takes_all_along,
    }
    schedules {
        of_those_who_see_a_tick_one_makes_its_execution,
        what_is_due_is_told_with_what_it_waits_for,
        what_somebody_asks_for_hides_nothing_that_runs,
        what_is_made_up_for_is_left_out_while_it_waits,
        one_whose_last_tick_is_hours_ahead_is_looked_at,
    }
    pauses {
        rule_16_nothing_starts_of_what_is_paused_and_all_else_does,
        rule_16_a_message_of_what_is_paused_becomes_a_row,
        rule_16_what_runs_goes_on_and_its_retry_waits,
        rule_16_what_waited_comes_back_in_its_order,
        rule_17_what_was_resumed_is_counted_and_says_so,
        rule_16_what_was_resumed_is_found_however_much_else_is_paused,
        rule_16_a_pause_is_seen_by_others_and_by_whoever_starts_later,
        rule_16_what_a_dead_supervisor_ran_waits_for_the_end_of_the_pause,
        rule_16_a_pause_keeps_no_room_in_a_limit,
        rule_16_who_paused_what_is_among_the_changes,
    }
    webhooks {
        who_a_request_names_is_told_of_its_end_too,
        every_end_is_told_to_those_who_ask_for_it,
        who_a_workflow_names_is_told_of_its_ends,
        a_delivery_is_taken_by_one_tried_and_begun_anew,
        what_expired_is_told_and_what_was_taken_back_is_told_anew,
    }
    full_limits {
        rule_6_whoever_comes_to_a_full_limit_is_refused_or_fails,
        rule_6_of_many_that_come_at_once_so_many_are_let_in,
        rule_6_whoever_tries_again_keeps_its_place,
        rule_6_the_newest_takes_the_place_of_one_that_waits,
        rule_6_the_newest_has_the_running_one_cancelled,
        rule_6_what_a_claim_takes_as_a_newer_one_comes_is_asked_to_end,
        rule_6_a_child_that_finds_a_limit_full_fails,
        rule_6_what_is_to_start_later_has_its_place,
    }
    rates {
        rule_3_no_more_start_in_a_period_for_a_key,
        rule_3_what_waits_for_a_rate_starts_at_its_moment,
        rule_3_a_rate_made_faster_lets_go_who_waited_for_the_slower_one,
        rule_3_each_attempt_is_a_start,
        rule_3_supervisors_that_claim_at_once_share_a_rate,
        rule_3_room_and_rate_must_both_let_it_start,
        rule_3_keys_that_nothing_starts_for_are_forgotten,
    }
    statistics {
        what_the_latest_executions_came_to_is_counted_by_workflow,
        where_there_are_too_many_to_count_the_shares_stay_true,
    }
    tokens {
        a_token_is_made_rotated_and_removed,
        who_changes_a_token_is_heard_and_who_uses_one_is_not,
        a_role_of_a_later_version_lets_nobody_in,
    }
    retention {
        what_ended_before_a_moment_goes_as_it_was_told,
        a_walk_goes_on_behind_what_stays,
        a_walk_over_one_workflow_sees_no_other,
        what_somebody_is_still_to_be_told_of_stays,
        what_is_not_published_yet_stays,
    }
    limits {
        rule_3_no_more_run_than_a_limit_says,
        rule_3_an_execution_starts_when_all_its_limits_have_room,
        rule_4_each_key_has_its_own_room,
        rule_5_supervisors_that_claim_at_once_share_a_limit,
        rule_5_a_lost_row_keeps_its_room_while_it_is_taken_over,
        rule_5_a_retry_gives_its_room_back_until_it_starts_again,
        rule_5_the_sweep_puts_right_what_a_crash_left,
        rule_5_the_sweep_comes_to_everybody_however_many_have_no_room,
        rule_7_what_stands_behind_others_is_never_looked_at,
        rule_7_what_waits_for_room_does_not_stand_before_others,
        rule_7_each_queue_has_its_next,
        rule_8_a_limit_changes_while_others_run,
        rule_9_a_message_with_limits_becomes_a_row,
        rule_17_who_waits_for_a_limit_is_told_for_what,
    }
    situations {
        rule_17_what_is_said_of_who_waits_is_what_the_next_claim_does,
    }
    lists {
        a_list_has_exactly_what_its_filters_let_through,
        a_list_reads_no_more_of_a_long_table_than_it_shows,
        an_error_of_any_length_is_written_and_found,
    }
    figures {
        what_is_noted_again_takes_the_place_of_what_was_and_old_stretches_are_forgotten,
    }
    reading {
        lists_are_paged_newest_first_and_filtered,
        rows_are_read_by_their_ids,
        rows_are_found_by_how_their_ids_begin,
        logs_are_read_on_from_a_place,
        events_tell_how_an_execution_got_where_it_is,
        a_trace_is_made_of_the_row_and_all_its_events,
        workflows_are_found_own_first_then_global,
        an_organizations_config_replaces_the_global_one,
        supervisors_are_known_by_their_ids,
        a_supervisor_says_how_it_is_and_the_others_see_it,
        facts_and_migrations_are_repeatable,
        every_statement_fits_the_schema,
    }
}
