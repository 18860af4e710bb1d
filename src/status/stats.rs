//! `/stats`: uWSGI's stats JSON, as uwsgitop reads it. Numbers there are integers, in microseconds
//! and bytes, and one that is not known is 0, as uwsgitop wants to find it; what we know beyond that
//! is below the key `rgunicorn`, of the server and of each worker, in nanoseconds.

use serde_json::{Map, Value, json};

use super::site::Site;
use crate::sys::connections::Connections;
use crate::sys::course::Course;
use crate::sys::header::{Fact, Reason};
use crate::sys::snapshot::{ServerView, Snapshot, WorkerView};
use crate::sys::tally::{BOUNDS_NS, Event};
use crate::sys::tells::Tells;
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
        .map(|it| worker(it, snapshot, usage(it.pid).filter(|_| it.alive)))
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
        "rgunicorn": server(&snapshot.server, now_ns),
    })
}

fn worker(it: &WorkerView, snapshot: &Snapshot, usage: Option<Usage>) -> Value {
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
        "rgunicorn": ours(it),
    })
}

/// All that the scoreboard says of the slot, by the names that `_core.Display` has; what its worker
/// class does not tell is not there.
fn ours(it: &WorkerView) -> Value {
    let (tally, tells) = (&it.tally, it.tells);
    let mut fields = Map::new();
    let mut put = |told: bool, name: &str, value: Value| {
        if told {
            fields.insert(name.into(), value);
        }
    };
    for (name, n) in [
        ("slot", it.slot as u64),
        ("alive", u64::from(it.alive)),
        ("age", it.age),
        ("claimed_ns", it.claimed_ns),
        ("claimed_at_ns", it.claimed_at_ns),
        ("respawns", it.respawns),
    ] {
        put(true, name, json!(n));
    }
    for (name, when) in [("booted_ns", it.booted_ns), ("heartbeat_ns", it.heartbeat_ns)] {
        put(when.is_some(), name, json!(when.unwrap_or_default()));
    }
    put(it.wish.is_some(), "wish", json!(it.wish.map_or("", name_of)));
    put(tells.has(Tells::ROOM), "room", json!(it.room));
    put(tells.has(Tells::WORK), "running", json!(it.work.running));
    put(tells.has(Tells::WORK), "busy_ns", json!(it.work.busy_ns));
    put(tells.has(Tells::CONNECTIONS), "queued", json!(it.queued));
    let Connections { reading, waiting, running, writing, idle } = it.connections;
    let connections = json!({
        "reading": reading, "waiting": waiting, "running": running, "writing": writing,
        "idle": idle,
    });
    put(tells.has(Tells::CONNECTIONS), "connections", connections);
    let classes = (1..).zip(tally.responses).map(|(class, n)| (format!("{class}xx"), json!(n)));
    put(tells.has(Tells::REQUESTS), "responses", classes.collect::<Map<_, _>>().into());
    put(tells.has(Tells::BYTES), "bytes_in", json!(tally.bytes_in));
    put(tells.has(Tells::BYTES), "bytes_out", json!(tally.bytes_out));
    let told = Event::ALL.into_iter().filter(|event| tells.has(Tells::of(*event)));
    let events = told.map(|event| (event.name().into(), json!(tally.count(event))));
    put(true, "events", events.collect::<Map<_, _>>().into());
    let times = [
        ("queue", Tells::QUEUE_TIME, &tally.queue),
        ("app", Tells::APP_TIME, &tally.app),
        ("write", Tells::WRITE_TIME, &tally.write),
        ("whole", Tells::WHOLE_TIME, &tally.whole),
    ];
    let told = times.into_iter().filter(|(_, bit, _)| tells.has(*bit));
    let histograms = told
        .map(|(name, _, it)| (name.into(), json!({ "buckets": it.buckets, "sum_ns": it.sum_ns })));
    put(true, "histograms", histograms.collect::<Map<_, _>>().into());
    fields.into()
}

fn server(it: &ServerView, now_ns: u64) -> Value {
    let facts = Fact::ALL.into_iter().map(|fact| (fact.name().into(), json!(it.fact(fact))));
    let ends = Reason::ALL.into_iter().zip(it.ends);
    let ends = ends.map(|(reason, n)| (reason.name().into(), json!(n)));
    json!({
        "course": it.course.name(),
        "in_transit": it.in_transit,
        "now_ns": now_ns,
        "histogram_bounds_ns": BOUNDS_NS,
        "server": facts.collect::<Map<_, _>>(),
        "ends": ends.collect::<Map<_, _>>(),
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
        slot.tell(Tells::REQUESTS.and(Tells::of(Event::Shed)));
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
        assert_eq!(worker["rgunicorn"]["events"], json!({ "shed": 0 }));
        assert!(value.get("vassals").is_none() && worker["rgunicorn"].get("wish").is_none());
        assert!(value["workers"][0]["rgunicorn"].get("responses").is_none());
    }
}
