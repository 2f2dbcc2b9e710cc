//! Runs each scenario with random schedules, and with schedules that switch threads rarely.
//! `SNAXUM_SCHEDULES=100000 cargo test -p interleavings` tries more of them.

use interleavings::{scenarios, stops};

fn check(scenario: fn()) {
    let schedules = match std::env::var("SNAXUM_SCHEDULES") {
        Ok(text) => text.parse().expect("SNAXUM_SCHEDULES is a number"),
        Err(_) => 300,
    };
    shuttle::check_random(scenario, schedules);
    shuttle::check_pct(scenario, schedules, 3);
}

#[test]
fn every_request_gets_its_response() {
    check(scenarios::every_request_gets_its_response);
}

#[test]
fn a_shutdown_loses_no_request() {
    check(scenarios::a_shutdown_loses_no_request);
}

#[test]
fn a_full_queue_loses_no_request() {
    check(scenarios::a_full_queue_loses_no_request);
}

#[test]
fn a_client_that_leaves_delays_no_other() {
    check(scenarios::a_client_that_leaves_delays_no_other);
}

#[test]
fn a_dropped_reply_ends_the_wait() {
    check(scenarios::a_dropped_reply_ends_the_wait);
}

#[test]
fn no_request_passes_the_gate_before_the_reload_of_an_earlier_save() {
    check(scenarios::no_request_passes_the_gate_before_the_reload_of_an_earlier_save);
}

#[test]
fn the_gate_opens_after_the_last_of_several_saves() {
    check(scenarios::the_gate_opens_after_the_last_of_several_saves);
}

#[test]
fn a_stop_ends_and_each_request_has_one_outcome() {
    check(stops::a_stop_ends_and_each_request_has_one_outcome);
}

#[test]
fn two_stops_at_once_both_end() {
    check(stops::two_stops_at_once_both_end);
}

#[test]
fn a_stop_waits_for_the_websockets_that_receive_its_signal() {
    check(stops::a_stop_waits_for_the_websockets_that_receive_its_signal);
}
