//! Tests of `metrics.rs`.

use super::*;
use crate::sys::connections::Connections;
use crate::sys::scoreboard::Scoreboard;
use crate::sys::tally::Outcome;

fn page(board: &Scoreboard, vitals: &Vitals) -> Vec<String> {
    let text = render(&board.snapshot(5_000_000_000), vitals, 5_000_000_000).unwrap();
    text.lines().map(str::to_owned).collect()
}

#[track_caller]
fn has(page: &[String], line: &str) {
    assert!(page.iter().any(|it| it == line), "no {line} in\n{}", page.join("\n"));
}

#[test]
fn counters_are_told_by_class_and_slot() {
    let board = Scoreboard::new(None).unwrap();
    board.claim(0, 1).unwrap().tell(Tells::REQUESTS);
    let slot = board.claim(1, 1).unwrap();
    let told = Tells::REQUESTS.and(Tells::WHOLE_TIME).and(Tells::BYTES);
    slot.tell(told.and(Tells::of(Event::Shed)));
    for status in [200, 204, 404] {
        slot.count_request(&Outcome { status, whole_ns: 1_000_000_000, ..Outcome::default() });
    }
    slot.count_event(Event::Shed, 2);
    slot.add_bytes(10, 20);
    board.count_end(Reason::MaxRequests);
    board.set_fact(Fact::ReloadFailed, 1);
    let page = page(&board, &Vitals::default());
    has(&page, "rgunicorn_requests_total{class=\"2xx\",worker=\"1\"} 2");
    has(&page, "rgunicorn_requests_total{class=\"4xx\",worker=\"1\"} 1");
    has(&page, "rgunicorn_requests_total{class=\"2xx\",worker=\"0\"} 0");
    has(&page, "rgunicorn_requests_shed_total 2");
    has(&page, "rgunicorn_received_bytes_total 10");
    has(&page, "rgunicorn_worker_ends_total{reason=\"max_requests\"} 1");
    has(&page, "rgunicorn_reload_failed 1");
    has(&page, "rgunicorn_request_duration_seconds_bucket{le=\"1\"} 3");
    has(&page, "rgunicorn_request_duration_seconds_bucket{le=\"0.5\"} 0");
    has(&page, "rgunicorn_request_duration_seconds_bucket{le=\"+Inf\"} 3");
    has(&page, "rgunicorn_request_duration_seconds_sum 3");
    has(&page, "rgunicorn_request_duration_seconds_count 3");
}

#[test]
fn load_is_of_those_who_live() {
    let board = Scoreboard::new(None).unwrap();
    let (one, gone) = (board.claim(0, 1).unwrap(), board.claim(1, 2).unwrap());
    for slot in [one, gone] {
        slot.tell(Tells::ROOM.and(Tells::WORK).and(Tells::CONNECTIONS));
        slot.set_room(4);
        slot.work().begin(1);
        let now = Connections { idle: 7, waiting: 3, ..Connections::default() };
        slot.set_connection_states(now);
    }
    one.set_booted(Some(u64::MAX));
    one.beat(2_000_000_000);
    gone.release();
    one.enter_transit();
    let page = page(&board, &Vitals::default());
    has(&page, "rgunicorn_workers 1");
    has(&page, "rgunicorn_workers_ready 1");
    has(&page, "rgunicorn_app_slots 4");
    has(&page, "rgunicorn_app_slots_busy 1");
    has(&page, "rgunicorn_queue_requests 4");
    has(&page, "rgunicorn_connections{state=\"idle\"} 7");
    has(&page, "rgunicorn_worker_heartbeat_age_seconds{worker=\"0\"} 3");
}

#[test]
fn what_is_not_known_has_no_line() {
    let board = Scoreboard::new(None).unwrap();
    board.claim(0, 1).unwrap().release();
    let text = page(&board, &Vitals::default()).join("\n");
    for name in ["requests", "app_slots", "queue", "connections", "received_bytes", "request_"] {
        assert!(!text.contains(&format!("rgunicorn_{name}")), "{name} in\n{text}");
    }
    for name in ["memory_bytes", "listen_backlog", "queue_limit", "worker_start_time", "NaN"] {
        assert!(!text.contains(name), "{name} in\n{text}");
    }
    let mut vitals = Vitals::default();
    vitals.master.rss = Some(5);
    vitals.workers.insert(3, Memory { pss: Some(6), ..Memory::default() });
    vitals.backlogs.push(("unix:/a\"b".to_owned(), 9));
    let page = page(&board, &vitals);
    has(&page, "rgunicorn_master_resident_memory_bytes 5");
    has(&page, "rgunicorn_worker_proportional_memory_bytes{worker=\"3\"} 6");
    has(&page, "rgunicorn_listen_backlog{address=\"unix:/a\\\"b\"} 9");
    assert!(!page.iter().any(|line| line.contains("worker_resident_memory")));
}
