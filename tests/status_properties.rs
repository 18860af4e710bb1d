//! The status process under any bytes.

use std::cell::RefCell;
use std::io::{Read, Write};
use std::os::fd::AsFd;
use std::os::unix::net::{UnixListener, UnixStream};
use std::time::Duration;

use proptest::collection::vec;
use proptest::prelude::*;
use rgunicorn::status::health::Limits;
use rgunicorn::status::question::{Ear, LONGEST_HEAD, Question, policy};
use rgunicorn::status::server::serve;
use rgunicorn::status::site::Site;
use rgunicorn::sys::listener::Listener;
use rgunicorn::sys::scoreboard::Scoreboard;

/// Bytes that mostly look like a request.
fn bytes() -> impl Strategy<Value = Vec<u8>> {
    let line = prop_oneof![
        Just(b"GET /stats HTTP/1.1\r\n".to_vec()),
        Just(b"HEAD /readyz?x HTTP/1.0\r\n".to_vec()),
        Just(b"POST / HTTP/1.1\r\nContent-Length: 9\r\n".to_vec()),
        Just(b"Host: x\r\n".to_vec()),
        Just(b"Transfer-Encoding: chunked\r\n".to_vec()),
        Just(b"\r\n".to_vec()),
        vec(any::<u8>(), 0..40),
        (1usize..9000).prop_map(|n| vec![b'a'; n]),
    ];
    vec(line, 0..6).prop_map(|lines| lines.concat())
}

fn heard(bytes: &[u8], cuts: &[usize]) -> Option<Question> {
    let (policy, mut ear, mut from) = (policy(), Ear::default(), 0);
    let mut cuts: Vec<_> = cuts.iter().map(|cut| cut % (bytes.len() + 1)).collect();
    cuts.sort_unstable();
    cuts.push(bytes.len());
    for to in cuts {
        if let Some(question) = ear.hear(&bytes[from..to], &policy) {
            return Some(question);
        }
        from = to;
    }
    None
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, failure_persistence: None, ..Default::default() })]

    #[test]
    fn pieces_are_the_whole(bytes in bytes(), cuts in vec(any::<usize>(), 0..5)) {
        let whole = heard(&bytes, &[]);
        prop_assert_eq!(whole, heard(&bytes, &cuts));
        prop_assert!(whole.is_some() || bytes.len() < LONGEST_HEAD);
    }
}

#[test]
fn nobody_ends_it_and_everybody_honest_is_answered() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("s");
    let listener = UnixListener::bind(&path).unwrap();
    let (line, end) = UnixStream::pair().unwrap();
    let limits = Limits { timeout_ns: 0, stuck_ns: 1, max_queue: 0 };
    let site = Site {
        board: Scoreboard::new(None).unwrap(),
        master: std::os::unix::process::parent_id() as i32,
        version: String::new(),
        uid: 0,
        gid: 0,
        cwd: "\u{0}\"/\\".into(),
        protocol: String::new(),
        doors: Vec::new(),
        limits,
    };
    let server = std::thread::spawn(move || {
        serve(&Listener::from_owned(listener.into(), true).unwrap(), line.as_fd(), &site)
    });
    let connect = || {
        let stream = UnixStream::connect(&path).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        stream
    };
    let kept = RefCell::new(Vec::new());
    proptest!(
        ProptestConfig { cases: 150, failure_persistence: None, ..Default::default() },
        |(bytes in bytes(), leaves: bool)| {
            let mut rude = connect();
            // It may be answered and gone before it has said all.
            let _ = rude.write_all(&bytes);
            if !leaves {
                kept.borrow_mut().push(rude);
            }
            let mut honest = connect();
            honest.write_all(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
            let mut text = String::new();
            honest.read_to_string(&mut text).unwrap();
            prop_assert!(text.starts_with("HTTP/1.1 200 OK\r\n") && text.ends_with("\r\n\r\nok\n"));
        }
    );
    let mut silent = String::new();
    connect().read_to_string(&mut silent).unwrap();
    assert!(silent.starts_with('{') && silent.ends_with("}\n"), "{silent}");
    drop(end);
    server.join().unwrap().unwrap();
}
