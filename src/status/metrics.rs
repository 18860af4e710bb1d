//! `/metrics`: Prometheus' text format, version 0.0.4.
//!
//! Names and units are a promise: dashboards and alerts of others stand on them, and
//! `docs/observability/metrics.md` lists them all. No label has a value that a client can choose. What
//! is not known has no line.

use prometheus::proto::{
    Bucket, Counter, Gauge, Histogram, LabelPair, Metric, MetricFamily, MetricType,
};
use prometheus::{TEXT_FORMAT, TextEncoder};

use super::vitals::{Memory, Vitals};
use crate::sys::connections::Connections;
use crate::sys::header::{Fact, Reason};
use crate::sys::snapshot::{ServerView, Snapshot, WorkerView};
use crate::sys::tally::{self, BOUNDS_NS, Event, Tally};
use crate::sys::tells::Tells;

/// `Content-Type` of the page.
pub const CONTENT_TYPE: &str = TEXT_FORMAT;

/// Status classes, as the label `class` has them.
const CLASSES: [&str; tally::CLASSES] = ["1xx", "2xx", "3xx", "4xx", "5xx"];

/// Counters of events: name without prefix and `_total`, and help.
const EVENTS: [(Event, &str, &str); tally::EVENTS] = [
    (Event::Exception, "exceptions", "Exceptions that the application let through."),
    (Event::Overdue, "requests_overdue", "Requests past request_timeout or timeout."),
    (Event::Shed, "requests_shed", "Requests answered with 503 because too many waited."),
    (Event::Static, "requests_static", "Requests answered with a file of static_map."),
    (Event::Refused, "requests_refused", "Requests that were answered without being understood."),
    (Event::Accepted, "connections_accepted", "Connections let in."),
    (Event::ReadError, "read_errors", "Reads from clients that failed."),
    (Event::WriteError, "write_errors", "Writes to clients that failed."),
];

/// The page.
///
/// # Errors
/// The words of the encoder, which finds fault with a name or a label: a mistake of this file.
pub fn render(snapshot: &Snapshot, vitals: &Vitals, now_ns: u64) -> Result<String, String> {
    let mut page = Page::default();
    page.server(&snapshot.server);
    page.requests(&snapshot.workers);
    page.load(snapshot);
    page.workers(&snapshot.workers, now_ns);
    page.vitals(vitals);
    TextEncoder::new().encode_to_string(&page.families).map_err(|error| error.to_string())
}

#[derive(Default)]
struct Page {
    families: Vec<MetricFamily>,
}

impl Page {
    fn server(&mut self, server: &ServerView) {
        let version = label("version", env!("CARGO_PKG_VERSION"));
        self.gauges("build_info", "1, with the version as a label.", [(vec![version], 1.0)]);
        let started = seconds(server.fact(Fact::StartedAt));
        if started > 0.0 {
            self.gauge("start_time_seconds", "When the server started, since 1970.", started);
        }
        let stopping = f64::from(u8::from(server.course as u64 != 0));
        self.gauge("stopping", "1 from TERM, INT or QUIT on.", stopping);
        for (fact, name, help) in [
            (Fact::Reloads, "reloads", "Reloads that have begun."),
            (Fact::ReloadFailures, "reload_failures", "Reloads that were given up."),
            (Fact::Spawns, "worker_spawns", "Workers that were forked."),
            (Fact::SpawnFailures, "worker_spawn_failures", "Forks of workers that failed."),
            (Fact::Boots, "worker_boots", "Workers that have finished booting."),
        ] {
            self.counter(name, help, server.fact(fact));
        }
        let boot_time = seconds(server.fact(Fact::BootTime));
        let help = "Time that workers took to boot, added up.";
        self.counters("worker_boot_seconds", help, [(Vec::new(), boot_time)]);
        let failed = server.fact(Fact::ReloadFailed);
        self.gauge("reload_failed", "1 when the last reload was given up.", float(failed));
        let help = "1 while no worker is forked because they end too early.";
        self.gauge("back_off", help, float(server.fact(Fact::BackOff)));
        let help = "Workers that have ended, by reason.";
        let ends = Reason::ALL.into_iter().zip(server.ends);
        let ends = ends.map(|(reason, n)| (vec![label("reason", reason.name())], float(n)));
        self.counters("worker_ends", help, ends);
    }

    fn requests(&mut self, workers: &[WorkerView]) {
        let help = "Requests that are over, by status class and by the slot of the worker.";
        let by_class = telling(workers, Tells::REQUESTS).flat_map(|worker| {
            CLASSES
                .into_iter()
                .zip(worker.tally.responses)
                .map(|(class, n)| (vec![label("class", class), slot(worker)], float(n)))
        });
        self.counters("requests", help, by_class);
        for (event, name, help) in EVENTS {
            let counts = telling(workers, Tells::of(event)).map(|it| it.tally.count(event));
            self.counters(name, help, added(counts));
        }
        let bytes = || telling(workers, Tells::BYTES);
        let help = "Bytes from clients.";
        self.counters("received_bytes", help, added(bytes().map(|it| it.tally.bytes_in)));
        let help = "Bytes to clients.";
        self.counters("sent_bytes", help, added(bytes().map(|it| it.tally.bytes_out)));
        for (name, help, told, part) in HISTOGRAMS {
            self.histogram(name, help, telling(workers, told).map(|it| part(&it.tally)));
        }
    }

    fn load(&mut self, snapshot: &Snapshot) {
        let alive = || snapshot.workers.iter().filter(|worker| worker.alive);
        let server = &snapshot.server;
        let wanted = float(server.fact(Fact::Workers));
        self.gauge("workers_wanted", "Workers that there should be.", wanted);
        self.gauge("workers", "Workers that there are.", float(alive().count() as u64));
        let ready = alive().filter(|worker| worker.booted_ns.is_some()).count() as u64;
        self.gauge("workers_ready", "Workers that have loaded the application.", float(ready));
        let those = |told| alive().filter(move |worker| worker.tells.has(told));
        let help = "Requests that can run at once.";
        self.gauges("app_slots", help, added(those(Tells::ROOM).map(|it| it.room)));
        let help = "Requests that run.";
        self.gauges("app_slots_busy", help, added(those(Tells::WORK).map(|it| it.work.running)));
        let queued = those(Tells::CONNECTIONS).map(|it| it.queued);
        let queued = added(queued).map(|(none, n)| (none, n + float(server.in_transit)));
        self.gauges("queue_requests", "Complete requests that wait for a thread.", queued);
        let limit = server.fact(Fact::MaxQueue);
        if limit > 0 {
            self.gauge("queue_limit_requests", "max_queue.", float(limit));
        }
        let states = STATES.into_iter().filter_map(|(name, of)| {
            let (_, n) = added(those(Tells::CONNECTIONS).map(|it| of(&it.connections)))?;
            Some((vec![label("state", name)], n))
        });
        self.gauges("connections", "Open connections, by what they are at.", states);
        let backlog = server.fact(Fact::Backlog);
        if backlog > 0 {
            self.gauge("listen_backlog_limit", "backlog.", float(backlog));
        }
    }

    fn workers(&mut self, workers: &[WorkerView], now_ns: u64) {
        let alive = || workers.iter().filter(|worker| worker.alive);
        let help = "When the worker in this slot was forked, since 1970.";
        let started = alive().map(|it| (vec![slot(it)], seconds(it.claimed_at_ns)));
        self.gauges("worker_start_time_seconds", help, started);
        let help = "How long the worker in this slot took to boot.";
        let boots = alive().filter_map(|it| {
            let took_ns = it.booted_ns?.checked_sub(it.claimed_ns)?;
            Some((vec![slot(it)], seconds(took_ns)))
        });
        self.gauges("worker_boot_duration_seconds", help, boots);
        let help = "Time since the worker in this slot was last seen to live.";
        let beats = alive().filter_map(|it| {
            Some((vec![slot(it)], seconds(now_ns.saturating_sub(it.heartbeat_ns?))))
        });
        self.gauges("worker_heartbeat_age_seconds", help, beats);
    }

    fn vitals(&mut self, vitals: &Vitals) {
        for (name, of) in [("resident", rss as fn(&Memory) -> _), ("proportional", pss)] {
            let help = format!("{} memory of the worker in this slot.", capital(name));
            let sizes = vitals.workers.iter().filter_map(|(slot, memory)| {
                Some((vec![label("worker", &slot.to_string())], float(of(memory)?)))
            });
            self.gauges(&format!("worker_{name}_memory_bytes"), &help, sizes);
            if let Some(size) = of(&vitals.master) {
                let help = format!("{} memory of the master.", capital(name));
                self.gauge(&format!("master_{name}_memory_bytes"), &help, float(size));
            }
        }
        let help = "Connections that wait to be let in, by the address of the listener.";
        let backlogs = vitals.backlogs.iter();
        let backlogs = backlogs.map(|(address, n)| (vec![label("address", address)], float(*n)));
        self.gauges("listen_backlog", help, backlogs);
    }

    fn gauge(&mut self, name: &str, help: &str, value: f64) {
        self.gauges(name, help, [(Vec::new(), value)]);
    }

    fn gauges(&mut self, name: &str, help: &str, values: impl IntoIterator<Item = Value>) {
        let metrics = values.into_iter().map(|(labels, value)| {
            let mut gauge = Gauge::default();
            gauge.set_value(value);
            let mut metric = Metric::from_label(labels);
            metric.set_gauge(gauge);
            metric
        });
        self.family(name, help, MetricType::GAUGE, metrics.collect());
    }

    fn counter(&mut self, name: &str, help: &str, value: u64) {
        self.counters(name, help, [(Vec::new(), float(value))]);
    }

    fn counters(&mut self, name: &str, help: &str, values: impl IntoIterator<Item = Value>) {
        let metrics = values.into_iter().map(|(labels, value)| {
            let mut counter = Counter::default();
            counter.set_value(value);
            let mut metric = Metric::from_label(labels);
            metric.set_counter(counter);
            metric
        });
        self.family(&format!("{name}_total"), help, MetricType::COUNTER, metrics.collect());
    }

    fn histogram<'a>(
        &mut self,
        name: &str,
        help: &str,
        parts: impl Iterator<Item = &'a tally::Histogram>,
    ) {
        let mut parts = parts.peekable();
        if parts.peek().is_none() {
            return;
        }
        let mut whole = tally::Histogram::default();
        for part in parts {
            whole.buckets.iter_mut().zip(part.buckets).for_each(|(sum, n)| *sum += n);
            whole.sum_ns = whole.sum_ns.saturating_add(part.sum_ns);
        }
        let mut below = 0;
        let bounds = BOUNDS_NS.into_iter().zip(whole.buckets).map(|(bound_ns, n)| {
            below += n;
            let mut bucket = Bucket::default();
            bucket.set_upper_bound(seconds(bound_ns));
            bucket.set_cumulative_count(below);
            bucket
        });
        let mut histogram = Histogram::default();
        histogram.set_bucket(bounds.collect());
        histogram.set_sample_count(whole.count());
        histogram.set_sample_sum(seconds(whole.sum_ns));
        let mut metric = Metric::from_label(Vec::new());
        metric.set_histogram(histogram);
        self.family(name, help, MetricType::HISTOGRAM, vec![metric]);
    }

    fn family(&mut self, name: &str, help: &str, kind: MetricType, metrics: Vec<Metric>) {
        // What nobody knows is not mentioned.
        if metrics.is_empty() {
            return;
        }
        let mut family = MetricFamily::default();
        family.set_name(format!("rgunicorn_{name}"));
        family.set_help(help.to_owned());
        family.set_field_type(kind);
        family.set_metric(metrics);
        self.families.push(family);
    }
}

type Value = (Vec<LabelPair>, f64);
type State = fn(&Connections) -> u64;
type Part = fn(&Tally) -> &tally::Histogram;

const HISTOGRAMS: [(&str, &str, Tells, Part); 4] = [
    (
        "request_queue_seconds",
        "Time from X-Request-Start, or from when the request was complete, to the application's start.",
        Tells::QUEUE_TIME,
        |tally| &tally.queue,
    ),
    ("request_app_seconds", "Time in the application.", Tells::APP_TIME, |tally| &tally.app),
    (
        "request_write_seconds",
        "Time from the application's last word to the last byte taken by the kernel.",
        Tells::WRITE_TIME,
        |tally| &tally.write,
    ),
    (
        "request_duration_seconds",
        "Time from X-Request-Start, or from when the request was complete, to the end of its response.",
        Tells::WHOLE_TIME,
        |tally| &tally.whole,
    ),
];

/// States of connections, as the label `state` has them.
const STATES: [(&str, State); 5] = [
    ("reading", |now| now.reading),
    ("waiting", |now| now.waiting),
    ("running", |now| now.running),
    ("writing", |now| now.writing),
    ("idle", |now| now.idle),
];

/// The workers that know this number.
fn telling(workers: &[WorkerView], told: Tells) -> impl Iterator<Item = &WorkerView> {
    workers.iter().filter(move |worker| worker.tells.has(told))
}

/// The sum, if there is anything to add up.
fn added(numbers: impl Iterator<Item = u64>) -> Option<Value> {
    let sum = numbers.reduce(|sum, n| sum.saturating_add(n))?;
    Some((Vec::new(), float(sum)))
}

fn label(name: &str, value: &str) -> LabelPair {
    let mut pair = LabelPair::default();
    pair.set_name(name.to_owned());
    pair.set_value(value.to_owned());
    pair
}

fn slot(worker: &WorkerView) -> LabelPair {
    label("worker", &worker.slot.to_string())
}

fn rss(memory: &Memory) -> Option<u64> {
    memory.rss
}

fn pss(memory: &Memory) -> Option<u64> {
    memory.pss
}

fn capital(name: &str) -> String {
    let (first, rest) = name.split_at(1);
    first.to_uppercase() + rest
}

/// Exact up to 2^53.
fn float(n: u64) -> f64 {
    n as f64
}

fn seconds(ns: u64) -> f64 {
    ns as f64 / 1e9
}

#[cfg(test)]
#[path = "test_metrics.rs"]
mod tests;
