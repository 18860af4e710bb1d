"""What each validator makes of a value, of settings that Gunicorn does not have."""

from __future__ import annotations

from typing import Any

from config.validator_cases import Raises

SIZES = "; allowed are whole bytes, or a whole number with K, M or G, such as 64K"
DURATIONS = "; allowed are seconds, or a number with ms, s, m, h or d, such as 1.5 or 2m"

# (setting whose validator is asked, value, expected)
CASES: list[tuple[str, Any, Any]] = [
    # validate_size
    ("request_buffer_size", 0, 0),
    ("request_buffer_size", 70000, 70000),
    ("request_buffer_size", "0", 0),
    ("request_buffer_size", " 065536 ", 65536),
    *(("request_buffer_size", text, 65536) for text in ("64K", "64k", "64KB", "64kb", "64KiB")),
    ("request_buffer_size", "512M", 512 << 20),
    ("request_buffer_size", "1gib", 1 << 30),
    ("request_buffer_size", 2**63 - 1, 2**63 - 1),
    ("request_buffer_size", 2**63, Raises("ValueError", f"from 0 to {2**63 - 1} bytes")),
    ("request_buffer_size", "8589934592G", Raises("ValueError", "from 0 to 9223372036854775807")),
    ("request_buffer_size", -1, Raises("ValueError", "Invalid size: -1; allowed is from 0 to")),
    *(
        ("request_buffer_size", text, Raises("ValueError", f"Invalid size: {text!r}{SIZES}"))
        for text in ("", "K", "-1", "-1K", "+1", "1.5M", "64 K", "64T", "64B", "0x10", "1_0", "١")
    ),
    *(
        ("request_buffer_size", value, Raises("TypeError", f"Invalid size: {value!r}{SIZES}"))
        for value in (True, False, 1.0, None, b"64K", [64])
    ),
    # validate_access_log_when
    ("access_log_when", " 5XX,slow:500ms ", "5xx,slow:0.5"),
    ("access_log_when", "2xx", Raises("ValueError", "Invalid access_log_when: '2xx'; allowed are")),
    ("access_log_when", "slow:x", Raises("ValueError", "'slow:x': slow: Invalid duration: 'x'")),
    ("access_log_when", None, Raises("TypeError", "Invalid access_log_when: None; allowed are")),
    # validate_access_log_skip
    ("access_log_skip", "/healthz", ["/healthz"]),
    ("access_log_skip", ["/a", "/b/*"], ["/a", "/b/*"]),
    ("access_log_skip", ["a"], Raises("ValueError", "Invalid access_log_skip: 'a'; allowed are")),
    # validate_request_id_header
    ("request_id_header", " X-Request-ID ", "X-Request-ID"),
    ("request_id_header", None, None),
    ("request_id_header", "", None),
    *(
        ("request_id_header", name, Raises("ValueError", f"Invalid request_id_header: {name!r};"))
        for name in ("X Request", "X_Request_ID", "X-R:", "Host", "content-type", "X-Forwarded-For")
    ),
    # validate_duration
    ("client_body_timeout", 0, 0),
    ("client_body_timeout", 30, 30),
    ("client_body_timeout", 1.5, 1.5),
    ("client_body_timeout", 2.0, 2),
    ("client_body_timeout", "0", 0),
    ("client_body_timeout", " 30 ", 30),
    ("client_body_timeout", "30s", 30),
    ("client_body_timeout", "1.5", 1.5),
    ("client_body_timeout", "2m", 120),
    ("client_body_timeout", "1.5M", 90),
    ("client_body_timeout", "1h", 3600),
    ("client_body_timeout", "1d", 86400),
    ("client_body_timeout", "500ms", 0.5),
    ("client_body_timeout", "3650d", 315360000),
    ("client_body_timeout", "3651d", Raises("ValueError", "'3651d'; allowed is from 0 to 3650d")),
    *(
        ("client_body_timeout", number, Raises("ValueError", f"Invalid duration: {number!r}; all"))
        for number in (-1, -0.1, float("inf"), float("nan"))
    ),
    *(
        (
            "client_body_timeout",
            text,
            Raises("ValueError", f"Invalid duration: {text!r}{DURATIONS}"),
        )
        for text in ("", "s", "-1", "1e3", ".5", "5.", "1 s", "1w", "1m30s", "inf", "nan")
    ),
    *(
        (
            "client_body_timeout",
            value,
            Raises("TypeError", f"Invalid duration: {value!r}{DURATIONS}"),
        )
        for value in (True, None, b"30", [30])
    ),
    ("shutdown_delay", "10s", 10),
    ("shutdown_delay", "soon", Raises("ValueError", "Invalid duration: 'soon'")),
    # validate_reload_strategy
    ("reload_strategy", "ready", "ready"),
    ("reload_strategy", " Gunicorn ", "gunicorn"),
    ("reload_strategy", "Rolling", "rolling"),
    ("reload_strategy", "never", Raises("ValueError", "allowed are ready, rolling and gunicorn")),
    ("reload_strategy", None, Raises("TypeError", "a string: ready, rolling or gunicorn")),
    ("max_rss", "512M", 512 << 20),
    ("max_rss_hard", "1G", 1 << 30),
    ("max_worker_lifetime", "1d", 86400),
    ("max_worker_lifetime_jitter", "90m", 5400),
    # validate_static_map, validate_owner, validate_mode; more in test_files.py
    ("static_map", {"/static": "/srv"}, ["/static=/srv"]),
    ("static_map", "/static", Raises("ValueError", "'/static' names no directory; write PREFIX=")),
    ("unix_socket_owner", "root:0", "root:0"),
    ("unix_socket_owner", "no-such", Raises("ConfigError", "there is no user 'no-such'")),
    ("unix_socket_mode", 0o660, "660"),
    ("unix_socket_mode", 660, Raises("ConfigError", "660 is decimal, and means 0o1224 in octal")),
    # validate_status_bind
    *(
        ("status_bind", text, text.strip())
        for text in ("127.0.0.1:9100", ":9100", "tcp://[::1]:0", "localhost:1", " unix:/run/s ")
    ),
    ("status_bind", "", None),
    ("status_bind", None, None),
    *(
        ("status_bind", text, Raises("ValueError", f"Invalid address: {text!r}; {why}"))
        for text, why in (
            ("fd://3", "the status process gets no inherited socket"),
            ("fd://x", "the status process gets no inherited socket"),
            ("127.0.0.1", "'' is not a valid port number."),
            ("localhost:http", "'http' is not a valid port number."),
            ("127.0.0.1:65536", "ports end at 65535"),
            ("127.0.0.1:1,127.0.0.1:2", "'1,127.0.0.1' is not a valid port number."),
            ("unix:", "the path is missing"),
        )
    ),
    ("status_bind", ["127.0.0.1:9100"], Raises("TypeError", "Not a string")),
    ("status_bind", 9100, Raises("TypeError", "Not a string")),
]
