//! Copies the code under test out of `src/`, with loom's atomics in place of std's. What is not
//! found there any more is an error: then the models have to follow.

use std::path::{Path, PathBuf};
use std::{env, fs};

fn main() {
    // Another tree's code: of a branch before it is merged.
    println!("cargo::rerun-if-env-changed=RGUNICORN_TREE");
    let root = match env::var_os("RGUNICORN_TREE") {
        Some(tree) => PathBuf::from(tree),
        None => Path::new(env!("CARGO_MANIFEST_DIR")).join("../.."),
    };
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets it"));
    let source = |name: &str| {
        let path = root.join("src").join(name);
        println!("cargo::rerun-if-changed={}", path.display());
        fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    };

    // All of it, but for its own tests and the size of a place: loom's atomics are larger.
    let ticket = source("sys/ticket.rs");
    let ticket = ticket.split("\n#[cfg(test)]\n").next().unwrap_or_default();
    let ticket = ticket.replace("const _: () = assert!(size_of::<Place>() == 512);", "");
    let ticket = without_head(&ticket).replace("use super::flights", "use super");
    fs::write(out.join("ticket.rs"), with_loom(&ticket)).expect("OUT_DIR can be written");

    let flights = source("sys/flights.rs");
    let phases = between(&flights, "/// Where a request stands.", "/// The places of one worker.");
    let flight = between(&flights, "/// One request that runs, or ran.", "/// Bytes of memory for");
    fs::write(out.join("flights.rs"), with_loom(&format!("{phases}\n{flight}")))
        .expect("OUT_DIR can be written");

    let crew = source("engine/crew.rs");
    let shared = methods(&crew, &["wake", "doze", "rise", "murmur"]);
    fs::write(out.join("shared.rs"), format!("impl Shared {{\n{shared}}}\n"))
        .expect("OUT_DIR can be written");
    let seat = methods(
        &crew,
        &[
            "leave_in_seat",
            "take_seat",
            "reclaim",
            "hand_back",
            "is_wanted",
            "offer",
            "take_offer",
            "fall_asleep",
            "wake_up",
            "call",
            "book",
            "has_idle",
            "become_idle",
        ],
    );
    let watch = source("engine/watch.rs");
    let lookout = between(&watch, "/// Looks again and again", "/// The watcher of a sync worker");
    fs::write(out.join("seat.rs"), format!("impl<A: App> Crew<A> {{\n{seat}}}\n{lookout}"))
        .expect("OUT_DIR can be written");
}

/// Without the `//!` lines, which only begin a file.
fn without_head(text: &str) -> String {
    let lines = text.lines().filter(|line| !line.starts_with("//!"));
    lines.map(|line| format!("{line}\n")).collect()
}

fn with_loom(text: &str) -> String {
    text.replace("use std::sync::atomic::{AtomicU64, Ordering, fence};", "")
}

fn between<'t>(text: &'t str, start: &str, end: &str) -> &'t str {
    let rest = text.find(start).map(|at| &text[at..]);
    let part = rest.and_then(|rest| Some(&rest[..rest.find(end)?]));
    part.unwrap_or_else(|| panic!("no {start:?} … {end:?} any more: tests/loom must follow"))
}

/// The methods of these names, as rustfmt lays them out.
fn methods(text: &str, names: &[&str]) -> String {
    let method = |name: &&str| {
        let heads = ["pub(super) fn", "pub fn", "fn"].map(|head| format!("    {head} {name}("));
        let at = heads.iter().find_map(|head| text.find(head));
        let end = at.and_then(|at| Some(at + text[at..].find("\n    }\n")? + 7));
        let method = at.zip(end).map(|(at, end)| &text[at..end]);
        method.unwrap_or_else(|| panic!("no method {name} any more: tests/loom must follow"))
    };
    names.iter().map(method).collect()
}
