//! Every seed and every kept input of the fuzz targets, through their checks.

#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used)]

#[path = "fuzz/checks.rs"]
#[allow(dead_code)]
mod checks;
#[path = "fuzz/records.rs"]
mod records;
#[path = "fuzz/session.rs"]
#[allow(dead_code)]
mod session;
#[path = "fuzz/values.rs"]
mod values;

use std::fs;
use std::path::{Path, PathBuf};

type Check = fn(&[u8]);

const TARGETS: [(&str, Check); 13] = [
    ("access", values::access),
    ("body", checks::body),
    ("config", values::config),
    ("files", values::files),
    ("head", checks::head),
    ("named", values::named),
    ("proxy", checks::proxy),
    ("recent", checks::recent),
    ("records", records::records),
    ("response", checks::response),
    ("split", checks::split),
    ("traceparent", values::traceparent),
    ("uwsgi", checks::uwsgi),
];

fn fuzz() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz")
}

#[test]
fn seeds() {
    for (target, check) in TARGETS {
        let seeds: Vec<_> = fs::read_dir(fuzz().join("seeds").join(target)).unwrap().collect();
        assert!(!seeds.is_empty(), "{target}");
        for seed in seeds {
            check(&fs::read(seed.unwrap().path()).unwrap());
        }
    }
}

#[test]
fn kept() {
    for (target, check) in TARGETS {
        let Ok(text) = fs::read_to_string(fuzz().join("kept").join(format!("{target}.txt"))) else {
            panic!("nothing is kept of {target}: tests/fuzz/run.sh 60 {target}")
        };
        let inputs: Vec<_> = text.lines().map(python_bytes).collect();
        assert!(inputs.len() > 5, "{target}");
        inputs.iter().for_each(|input| check(input));
    }
}

#[test]
fn every_target_is_here() {
    let mut found: Vec<_> = fs::read_dir(fuzz().join("fuzz_targets"))
        .unwrap()
        .map(|entry| entry.unwrap().path().file_stem().unwrap().to_str().unwrap().to_owned())
        .collect();
    found.sort();
    assert_eq!(found, TARGETS.map(|(target, _)| target));
}

/// What `repr` of Python's bytes says.
fn python_bytes(text: &str) -> Vec<u8> {
    let inner = text.strip_prefix('b').and_then(|text| text.get(1..text.len() - 1));
    let mut bytes = inner.unwrap().bytes();
    let mut out = Vec::new();
    while let Some(byte) = bytes.next() {
        out.push(match byte {
            b'\\' => match bytes.next().unwrap() {
                b'n' => b'\n',
                b'r' => b'\r',
                b't' => b'\t',
                b'x' => {
                    let digits = [bytes.next().unwrap(), bytes.next().unwrap()];
                    u8::from_str_radix(std::str::from_utf8(&digits).unwrap(), 16).unwrap()
                }
                other => other,
            },
            other => other,
        });
    }
    out
}

#[test]
fn bytes_as_python_writes_them() {
    assert_eq!(python_bytes(r#"b'a\x00\n\\\'"'"#), b"a\0\n\\'\"");
    assert_eq!(python_bytes("b\"'\""), b"'");
}
