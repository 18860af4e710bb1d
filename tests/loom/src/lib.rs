//! Models, for [loom](https://docs.rs/loom), of what threads and processes decide by atomics: the
//! code itself, copied by `build.rs`, in every order that its threads can take.
//!
//! `cargo test --manifest-path tests/loom/Cargo.toml`

#[cfg(test)]
mod board;
#[cfg(test)]
mod crew;
#[cfg(test)]
mod flights;
#[cfg(test)]
mod sync;

/// Tries every order with at most `preemptions` switches that nobody asked for.
#[cfg(test)]
fn model(preemptions: usize, body: impl Fn() + Sync + Send + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(preemptions);
    builder.max_branches = 20_000;
    builder.check(body);
}
