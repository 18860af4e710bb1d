//! The fuzz target `records`, driven by proptest: steps that mostly get somewhere.

#[allow(clippy::expect_used)]
#[path = "fuzz/records.rs"]
mod records;

use proptest::collection::vec;
use proptest::prelude::*;

/// One step of a program of `fuzz/records.rs`; a record comes whole, or cut anywhere.
fn step() -> impl Strategy<Value = Vec<u8>> {
    let record = (0u8..16, vec(any::<u8>(), 0..61)).prop_map(|(kind, payload)| {
        let record = [&[kind, payload.len() as u8], payload.as_slice()].concat();
        let mut steps = Vec::new();
        let mut rest = record.as_slice();
        while !rest.is_empty() {
            // A step carries an odd number of bytes.
            let n = (rest.len() - 1) | 1;
            let n = if n > rest.len() { n - 2 } else { n };
            steps.push(((n / 2) as u8) << 3);
            steps.extend_from_slice(&rest[..n]);
            rest = &rest[n..];
        }
        steps
    });
    let plain = (2u8..6, 0u8..32).prop_map(|(code, arg)| vec![arg << 3 | code]);
    let rest = prop_oneof![
        (0u8..32).prop_map(|arg| vec![arg << 3 | 6]),
        (2u8..8).prop_map(|arg| vec![arg << 3 | 7])
    ];
    prop_oneof![4 => record, 8 => plain, 1 => rest, 1 => vec(any::<u8>(), 1..20)]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..Default::default() })]

    #[test]
    fn any_bytes(data in vec(any::<u8>(), 0..300)) {
        records::records(&data);
    }

    #[test]
    fn steps(sizes: [u8; 2], steps in vec(step(), 0..40)) {
        records::records(&[sizes.as_slice(), &steps.concat()].concat());
    }
}

#[test]
fn seeds() {
    for seed in std::fs::read_dir("tests/fuzz/seeds/records").unwrap() {
        records::records(&std::fs::read(seed.unwrap().path()).unwrap());
    }
}
