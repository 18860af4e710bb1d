//! `/stats`: uWSGI's stats JSON, as uwsgitop reads it. Numbers there are integers, in microseconds
//! and bytes; what only we know is below the key `rgunicorn`, of the server and of each worker.

use serde_json::{Map, Value, json};

use super::site::Site;
use crate::sys::course::Course;
use crate::sys::header::{Fact, Reason};
use crate::sys::snapshot::{ServerView, Snapshot, WorkerView};
use crate::sys::tally::{BOUNDS_NS, Event, Histogram};
use crate::sys::usage::Usage;
use crate::sys::wish::Wish;

/// The document.
///
/// # Arguments
/// `usage`: memory of a process. `queues`: of each of the site's listeners, how many wait there and
/// how many may, if that is known. `now_ns` is CLOCK_MONOTONIC.
pub fn render(
    snapshot: &Snapshot,
    site: &Site,
    usage: impl Fn(u64) -> Option<Usage>,
    queues: &[Option<(u64, u64)>],
    now_ns: u64,
) -> Value {
    let waiting = queues.iter().flatten().map(|(waiting, _)| waiting).sum::<u64>();
    let sockets: Vec<Value> = site
        .doors
        .iter()
        .zip(queues)
        .map(|(door, queue)| {
            let (waiting, most) = queue.unwrap_or_default();
            json!({
                "name": door.name, "proto": site.protocol, "queue": waiting, "max_queue": most,
                "shared": 0, "can_offload": 0,
            })
        })
        .collect();
    let workers: Vec<Value> = snapshot
        .workers
        .iter()
        .map(|it| worker(it, snapshot, usage(it.pid).filter(|_| it.alive), now_ns))
        .collect();
    json!({
        "version": format!("rgunicorn-{}", site.version),
        "listen_queue": waiting,
        "listen_queue_errors": 0,
        "signal_queue": 0,
        "load": waiting,
        "pid": site.master,
        "uid": site.uid,
        "gid": site.gid,
        "cwd": site.cwd,
        "sockets": sockets,
        "workers": workers,
        "rgunicorn": server(&snapshot.server),
    })
}

fn worker(it: &WorkerView, snapshot: &Snapshot, usage: Option<Usage>, now_ns: u64) -> Value {
    let (tally, work) = (&it.tally, &it.work);
    let (requests, exceptions) = (tally.requests(), tally.count(Event::Exception));
    let accepting = it.alive
        && it.booted_ns.is_some()
        && matches!(snapshot.server.course, Course::Serving | Course::Parting);
    let status = match it.alive {
        false => "cheap",
        true if work.running > 0 => "busy",
        true => "idle",
    };
    let boot_ns = it.booted_ns.map_or(0, |booted_ns| booted_ns.saturating_sub(it.claimed_ns));
    // Threads are not told apart: the first one stands for all that have done something.
    let cores: Vec<Value> = (0..it.room.max(1))
        .map(|id| {
            json!({
                "id": id,
                "requests": if id == 0 { requests } else { 0 },
                "static_requests": if id == 0 { tally.count(Event::Static) } else { 0 },
                "routed_requests": 0,
                "offloaded_requests": 0,
                "write_errors": if id == 0 { tally.count(Event::WriteError) } else { 0 },
                "read_errors": if id == 0 { tally.count(Event::ReadError) } else { 0 },
                "in_request": u64::from(it.alive && id < work.running),
                "vars": [],
                "req_info": {},
            })
        })
        .collect();
    json!({
        "id": it.slot + 1,
        "pid": if it.alive { it.pid } else { 0 },
        "accepting": u64::from(accepting),
        "requests": requests,
        "delta_requests": it.own_requests(),
        "exceptions": exceptions,
        "harakiri_count": tally.count(Event::Overdue),
        "signals": 0,
        "signal_queue": 0,
        "status": status,
        "rss": usage.map_or(0, |usage| usage.rss),
        "vsz": usage.map_or(0, |usage| usage.vsz),
        "running_time": microseconds(tally.app.sum_ns.max(work.busy_ns)),
        "last_spawn": it.claimed_at_ns / 1_000_000_000,
        // uWSGI counts the first one as well.
        "respawn_count": it.respawns + u64::from(it.claimed_ns > 0),
        "tx": tally.bytes_out,
        "avg_rt": microseconds(tally.app.sum_ns.checked_div(tally.app.count()).unwrap_or(0)),
        "apps": [{
            "id": 0, "modifier1": 0, "mountpoint": "", "startup_time": boot_ns / 1_000_000_000,
            "requests": requests, "exceptions": exceptions, "chdir": "",
        }],
        "cores": cores,
        "rgunicorn": ours(it, now_ns),
    })
}

/// What uWSGI has no word for.
fn ours(it: &WorkerView, now_ns: u64) -> Value {
    let (tally, connections) = (&it.tally, &it.connections);
    let mut fields = Map::new();
    let mut put = |name: &str, value: Value| fields.insert(name.into(), value);
    put("slot", json!(it.slot));
    put(
        "responses",
        (1..)
            .zip(tally.responses)
            .map(|(class, n)| (format!("{class}xx"), json!(n)))
            .collect::<Map<_, _>>()
            .into(),
    );
    let events = [
        ("shed", Event::Shed),
        ("refused", Event::Refused),
        ("accepted", Event::Accepted),
        ("static", Event::Static),
    ];
    for (name, event) in events {
        put(name, json!(tally.count(event)));
    }
    put("bytes_in", json!(tally.bytes_in));
    put("bytes_out", json!(tally.bytes_out));
    put("queue_time", histogram(&tally.queue));
    put("app_time", histogram(&tally.app));
    put("write_time", histogram(&tally.write));
    put("whole_time", histogram(&tally.whole));
    if !it.alive {
        return fields.into();
    }
    put("age", json!(it.age));
    put("running", json!(it.work.running));
    put("running_time", json!(microseconds(it.work.running_ns)));
    put("queued", json!(it.queued));
    put(
        "connections",
        json!({
            "reading": connections.reading, "waiting": connections.waiting,
            "running": connections.running, "writing": connections.writing,
            "idle": connections.idle,
        }),
    );
    if it.room > 0 {
        put("threads", json!(it.room));
    }
    if let Some(booted_ns) = it.booted_ns {
        put("boot_time", json!(microseconds(booted_ns.saturating_sub(it.claimed_ns))));
    }
    if let Some(beat_ns) = it.heartbeat_ns {
        put("silent_time", json!(microseconds(now_ns.saturating_sub(beat_ns))));
    }
    if let Some(wish) = it.wish {
        put("leaves_for", json!(name_of(wish)));
    }
    fields.into()
}

fn server(it: &ServerView) -> Value {
    let ends: Map<_, _> = Reason::ALL
        .into_iter()
        .zip(it.ends)
        .map(|(reason, n)| (reason.name().into(), json!(n)))
        .collect();
    let mut fields = Map::new();
    fields.insert("course".into(), json!(it.course.name()));
    fields.insert("in_transit".into(), json!(it.in_transit));
    fields.insert("ends".into(), ends.into());
    for fact in Fact::ALL {
        let (name, value) = match fact {
            // Said elsewhere in the document.
            Fact::Pid => continue,
            Fact::StartedAt => ("started_at", it.fact(fact) / 1_000_000_000),
            Fact::BootTime => ("boot_time", microseconds(it.fact(fact))),
            _ => (fact.name(), it.fact(fact)),
        };
        fields.insert(name.into(), json!(value));
    }
    fields.into()
}

fn histogram(it: &Histogram) -> Value {
    let bounds: Vec<u64> = BOUNDS_NS.into_iter().map(microseconds).collect();
    json!({
        "bounds": bounds, "buckets": it.buckets, "sum": microseconds(it.sum_ns),
        "count": it.count(),
    })
}

/// The setting it comes from.
fn name_of(wish: Wish) -> &'static str {
    match wish {
        Wish::MaxRequests => "max_requests",
        Wish::Lifetime => "max_worker_lifetime",
        Wish::Rss => "max_rss",
        Wish::RssHard => "max_rss_hard",
        Wish::Deadline => "request_timeout",
    }
}

fn microseconds(ns: u64) -> u64 {
    ns / 1000
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::status::site::Door;
    use crate::sys::scoreboard::Scoreboard;
    use crate::sys::tally::Outcome;

    fn nothing_null(value: &Value) -> bool {
        match value {
            Value::Null | Value::Bool(_) => false,
            Value::Number(number) => number.is_u64() || number.is_i64(),
            Value::String(_) => true,
            Value::Array(items) => items.iter().all(nothing_null),
            Value::Object(fields) => fields.values().all(nothing_null),
        }
    }

    #[test]
    fn what_uwsgitop_reads_is_there() {
        let board = Scoreboard::new(None).unwrap();
        let mut site = Site::of(board);
        site.doors.push(Door { name: "127.0.0.1:8000".into(), inode: 1 });
        site.doors.push(Door { name: "s.sock".into(), inode: 2 });
        let slot = board.claim(1, 3).unwrap();
        slot.set_pid(77);
        slot.set_room(2);
        slot.set_booted(Some(5));
        slot.count_request(&Outcome { status: 200, app_ns: Some(3_000_000), ..Outcome::default() });
        slot.count_request(&Outcome { status: 500, app_ns: Some(1_000_000), ..Outcome::default() });
        slot.count_event(Event::Exception, 1);
        slot.add_bytes(1, 9);
        slot.work().begin(1);
        let usage = |pid| (pid == 77).then_some(Usage { rss: 11, vsz: 22 });
        let value = render(&board.snapshot(9), &site, usage, &[Some((4, 128)), None], 9);
        assert!(nothing_null(&value), "{value}");
        assert_eq!((&value["listen_queue"], &value["load"]), (&json!(4), &json!(4)));
        assert_eq!(value["sockets"][0]["max_queue"], 128);
        assert_eq!(value["workers"].as_array().unwrap().len(), 2);
        assert_eq!(
            (&value["workers"][0]["status"], &value["workers"][0]["pid"]),
            (&json!("cheap"), &json!(0))
        );
        let worker = &value["workers"][1];
        for (name, expected) in [
            ("id", 2),
            ("pid", 77),
            ("accepting", 1),
            ("requests", 2),
            ("delta_requests", 2),
            ("exceptions", 1),
            ("harakiri_count", 0),
            ("rss", 11),
            ("vsz", 22),
            ("avg_rt", 2000),
            ("running_time", 4000),
            ("respawn_count", 1),
            ("tx", 9),
        ] {
            assert_eq!(worker[name], expected, "{name}");
        }
        assert_eq!(worker["status"], "busy");
        let cores = worker["cores"].as_array().unwrap();
        assert_eq!((&cores[0]["in_request"], &cores[1]["in_request"]), (&json!(1), &json!(0)));
        assert_eq!(worker["rgunicorn"]["responses"]["5xx"], 1);
        assert!(value.get("vassals").is_none() && worker["rgunicorn"].get("leaves_for").is_none());
    }
}
