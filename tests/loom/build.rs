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

    let write = |name: &str, text: &str| {
        fs::write(out.join(name), without_imports(text)).expect("OUT_DIR can be written");
    };

    // All of it, but for its own tests and the size of a place: loom's atomics are larger.
    let ticket = code(&source("sys/ticket.rs"));
    let ticket = ticket.replace("const _: () = assert!(size_of::<Place>() == 512);", "");
    write("ticket.rs", &ticket.replace("use super::flights", "use super"));
    let slate = swap(&code(&source("sys/slate.rs")), "36 * 1024 - 512", "16");
    let slate = swap(&slate, "use super::ticket::{read, write};", "");
    write("slate.rs", &slate);

    let flights = source("sys/flights.rs");
    let phases = between(&flights, "/// Where a request stands.", "/// The places of one worker.");
    let flight = between(&flights, "/// One request that runs, or ran.", "/// Bytes of memory for");
    write("flights.rs", &format!("{phases}\n{flight}"));

    let crew = source("engine/crew.rs");
    let shared = source("engine/shared.rs");
    let shared = methods(&shared, &["wake", "doze", "dozes", "rise", "murmur"]);
    write("shared.rs", &format!("impl Shared {{\n{shared}}}\n"));
    let moves = methods(
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
    write("crew.rs", &format!("impl<A: App> Crew<A> {{\n{moves}}}\n{lookout}"));
    write("seat.rs", &code(&source("sys/seat.rs")));

    // Fewer looks and one bound: loom tries every order of all that happens.
    let turn =
        swap(&code(&source("sys/turn.rs")), "const LOOKS: usize = 100;", "const LOOKS: usize = 3;");
    write("turn.rs", &swap(&turn, "std::hint::spin_loop", "loom::thread::yield_now"));
    for name in ["owed.rs", "work.rs"] {
        write(name, &code(&source(&format!("sys/{name}"))));
    }
    let tally = code(&source("sys/tally.rs"));
    let bounds = between(&tally, "pub const BOUNDS_NS: [u64; 19] = [", "/// Buckets of");
    let tally = swap(&tally, "pub use super::connections::Connections;", "");
    write("tally.rs", &swap(&tally, bounds, "pub const BOUNDS_NS: [u64; 1] = [50_000];\n"));
    let gauges = code(&source("sys/connections.rs"));
    write("connections.rs", &swap(&gauges, "use super::tally::{is_counting, load};", ""));
    let till = code(&source("sys/till.rs"));
    let own = [
        "use super::slot::Slot;",
        "use super::tally::{Event, Outcome, TallyCells, add_alone, add_beside_others};",
    ];
    write("till.rs", &own.iter().fold(till, |till, import| swap(&till, import, "")));
    let course = code(&source("sys/course.rs"));
    write(
        "course.rs",
        &swap(&course, "use super::scoreboard::Scoreboard;\nuse super::slot::Slot;", ""),
    );

    let slot = source("sys/slot.rs");
    let states = between(&slot, "const FREE: u64", "/// All-zero is a valid value and means");
    let siblings = code(&source("sys/siblings.rs"));
    let siblings = swap(&siblings, "use super::slot::{CLAIMED, Cells, Slot};", "");
    let own = methods(&slot, &["claim", "clear", "release"]);
    let line = methods(
        &source("sys/line.rs"),
        &["enter_transit", "leave_transit", "clear_transit", "in_transit"],
    );
    let header = methods(&source("sys/header.rs"), &["entitle", "version"]);
    write(
        "slot.rs",
        &format!("{states}{siblings}\nimpl Slot {{\n{own}{line}}}\nimpl Header {{\n{header}}}\n"),
    );
}

/// A file without its own tests.
fn code(text: &str) -> String {
    let code = text.split("\n#[cfg(test)]\nmod ").next().unwrap_or_default();
    code.split("\n#[cfg(test)]\n#[path").next().unwrap_or_default().into()
}

/// With `new` in place of `old`, which must be there.
fn swap(text: &str, old: &str, new: &str) -> String {
    assert!(text.contains(old), "no {old:?} any more: tests/loom must follow");
    text.replace(old, new)
}

/// Without the `//!` lines, which only begin a file, and with loom's atomics.
fn without_imports(text: &str) -> String {
    let kept =
        |line: &&str| !line.starts_with("//!") && !line.starts_with("use std::sync::atomic::");
    text.lines().filter(kept).map(|line| format!("{line}\n")).collect()
}

fn between<'t>(text: &'t str, start: &str, end: &str) -> &'t str {
    let rest = text.find(start).map(|at| &text[at..]);
    let part = rest.and_then(|rest| Some(&rest[..rest.find(end)?]));
    part.unwrap_or_else(|| panic!("no {start:?} … {end:?} any more: tests/loom must follow"))
}

/// A name with the bracket behind it; one that says how its arguments begin has it.
fn opened(name: &str) -> String {
    if name.contains('(') { name.into() } else { format!("{name}(") }
}

/// The methods of these names, as rustfmt lays them out.
fn methods(text: &str, names: &[&str]) -> String {
    let method = |name: &&str| {
        let heads =
            ["pub(super) fn", "pub fn", "fn"].map(|head| format!("    {head} {}", opened(name)));
        let at = heads.iter().find_map(|head| text.find(head));
        let end = at.and_then(|at| Some(at + text[at..].find("\n    }\n")? + 7));
        let method = at.zip(end).map(|(at, end)| &text[at..end]);
        method.unwrap_or_else(|| panic!("no method {name} any more: tests/loom must follow"))
    };
    names.iter().map(method).collect()
}
