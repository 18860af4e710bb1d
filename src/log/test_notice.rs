//! Tests of `notice.rs`.

use super::{Level, Notice, Phase};

#[test]
fn words_levels_and_loggers() {
    let s = str::to_owned;
    let cases = [
        (
            Notice::InvalidRequest { ip: s("10.0.0.1"), error: s("Invalid HTTP method: 'x'") },
            Level::Warning,
            "Invalid request from ip=10.0.0.1: Invalid HTTP method: 'x'",
        ),
        (
            Notice::SocketError { error: s("[Errno 5] Input/output error") },
            Level::Error,
            "Socket error processing request.\nOSError: [Errno 5] Input/output error",
        ),
        (Notice::ConnectionReset, Level::Debug, "Ignoring connection reset"),
        (Notice::NotConnected, Level::Debug, "Ignoring socket not connected"),
        (Notice::BrokenPipe, Level::Debug, "Ignoring EPIPE"),
        (
            Notice::PrematureDisconnect { error: s("No more data after: b'GET'") },
            Level::Debug,
            "Ignored premature client disconnection. No more data after: b'GET'",
        ),
        (Notice::TlsEnded, Level::Debug, "ssl connection closed"),
        (Notice::ErrorPageUnsent, Level::Debug, "Failed to send error message."),
        (
            Notice::ClientTimeout { ip: s("::1"), phase: Phase::Body },
            Level::Info,
            "Client timed out: ip=::1 sending the request body",
        ),
        (
            Notice::ShortResponse { method: s("GET"), uri: s("/a"), missing: 7 },
            Level::Warning,
            "Response to GET /a is 7 bytes shorter than its Content-Length; closing the \
             connection",
        ),
        (Notice::MaxRequests, Level::Info, "Autorestarting worker after current request."),
        (Notice::Suppressed { count: 3 }, Level::Warning, "3 more messages left out"),
    ];
    for (notice, level, words) in cases {
        assert_eq!(notice.to_string(), words);
        assert_eq!(notice.level(), level, "{notice:?}");
        assert_eq!(notice.logger(), "gunicorn.error", "{notice:?}");
    }

    let notice = Notice::BodyOnNoBodyResponse { method: s("HEAD"), status: 200 };
    assert_eq!(notice.level().number(), 30);
    assert_eq!(notice.logger(), "gunicorn.http.wsgi");
    assert_eq!(
        notice.to_string(),
        "WSGI app sent body bytes on a no-body response (method=HEAD status=200); dropping \
         per RFC 9110."
    );
}

#[test]
fn words_of_what_happens_on_a_bad_day() {
    let s = str::to_owned;
    let over = |full, late, unlogged| Notice::Overloaded { full, late, unlogged };
    for (notice, words) in [
        (
            Notice::NoWatcher { error: s("EAGAIN") },
            "No thread for slow and idle clients (EAGAIN): they wait while the application is busy",
        ),
        (
            Notice::NothingDeposited,
            "Too many descriptors are on their way between processes of this user: should a \
             worker be killed, idle connections go down with it. Raise ulimit -n.",
        ),
        (
            Notice::NoMemory { ip: s("::1") },
            "Refused a large request head from ip=::1: clients that stall hold too much memory",
        ),
        (
            Notice::AcceptFailed { error: s("EMFILE") },
            "Cannot accept connections: EMFILE. Pausing for 0.1 s.",
        ),
        (
            Notice::SpoolFailed { error: s("ENOSPC") },
            "Cannot buffer a request body on disk: ENOSPC. Check tmp_upload_dir and its free space.",
        ),
        (
            Notice::TurnedAway { count: 2 },
            "graceful_timeout is nearly over: requests that had not begun were answered with 503 (2)",
        ),
        (
            over(2, 1, 3),
            "Overload: 3 requests refused with 503: 2 found the queue full (max_queue), 1 had \
             waited too long (max_queue_time); 3 access lines left out",
        ),
        (
            over(0, 1, 0),
            "Overload: 1 requests refused with 503: 1 had waited too long (max_queue_time)",
        ),
        (
            over(1, 0, 0),
            "Overload: 1 requests refused with 503: 1 found the queue full (max_queue)",
        ),
        (
            Notice::StaticFile { file: s("a.css"), error: s("EACCES") },
            "static_map: a.css can not be served: EACCES",
        ),
        (
            Notice::ClientTimeout { ip: s("::1"), phase: Phase::Handshake },
            "Client timed out: ip=::1 in the TLS handshake",
        ),
        (
            Notice::ClientTimeout { ip: s("::1"), phase: Phase::Head },
            "Client timed out: ip=::1 sending the request head",
        ),
        (
            Notice::ClientTimeout { ip: s("::1"), phase: Phase::Response },
            "Client timed out: ip=::1 receiving the response",
        ),
    ] {
        assert_eq!(notice.to_string(), words);
    }
}
