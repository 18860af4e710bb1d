"""What each validator of Gunicorn makes of a value: a result, or the type and text of an error.

Imported by the Python of the real Gunicorn as well, so nothing here imports rgunicorn.
"""

from __future__ import annotations

from typing import Any


class Raises:
    """The expected error: the name of its type and a part of its text."""

    def __init__(self, kind: str, text: str) -> None:
        self.kind = kind
        self.text = text

    def __repr__(self) -> str:
        return f"{self.kind}({self.text!r})"


class AClass:
    """A value for settings that take classes."""


def a_class() -> type:
    return AClass


def a_name() -> str:
    return " pkg.Class "


def hook0() -> None: ...
def hook1(server: Any) -> None: ...
def hook2(server: Any, worker: Any) -> None: ...
def hook2_star(server: Any, worker: Any, *rest: Any, key: Any = None) -> None: ...
def hook3(worker: Any, req: Any, environ: Any) -> None: ...
def hook4(worker: Any, req: Any, environ: Any, resp: Any) -> None: ...


class Holder:
    def hook1(self, server: Any) -> None: ...


# (setting whose validator is asked, value, expected)
CASES: list[tuple[str, Any, Any]] = [
    # validate_bool
    ("reload", None, None),
    ("reload", True, True),
    ("reload", False, False),
    ("reload", " True ", True),
    ("reload", "FALSE", False),
    ("reload", "yes", Raises("ValueError", "Invalid boolean: yes")),
    ("reload", "", Raises("ValueError", "Invalid boolean: ")),
    ("reload", 1, Raises("TypeError", "Invalid type for casting: 1")),
    # validate_pos_int
    ("timeout", 0, 0),
    ("timeout", 30, 30),
    ("timeout", True, 1),
    ("timeout", "30", 30),
    ("timeout", " 0x1E ", 30),
    ("timeout", "0o36", 30),
    ("timeout", "1_0", 10),
    ("timeout", "030", Raises("ValueError", "invalid literal for int() with base 0: '030'")),
    ("timeout", "", Raises("ValueError", "invalid literal for int() with base 0: ''")),
    ("timeout", -1, Raises("ValueError", "Value must be positive: -1")),
    ("timeout", "-1", Raises("ValueError", "Value must be positive: -1")),
    ("timeout", 1.5, Raises("TypeError", "int() can't convert non-string with explicit base")),
    ("timeout", None, Raises("TypeError", "int() can't convert non-string with explicit base")),
    # validate_string
    ("pidfile", None, None),
    ("pidfile", " /run/x.pid ", "/run/x.pid"),
    ("pidfile", "", ""),
    ("pidfile", 7, Raises("TypeError", "Not a string: 7")),
    ("pidfile", b"x", Raises("TypeError", "Not a string: b'x'")),
    # validate_list_string
    ("bind", None, []),
    ("bind", "", []),
    ("bind", " a:1 ", ["a:1"]),
    ("bind", "a:1,b:2", ["a:1,b:2"]),
    ("bind", ["a:1 ", "b:2"], ["a:1", "b:2"]),
    ("bind", ("a:1",), ["a:1"]),
    ("bind", [None], [None]),
    ("bind", [8000], Raises("TypeError", "Not a string: 8000")),
    ("bind", 8000, Raises("TypeError", "not iterable")),
    # validate_string_to_list
    ("forwarder_headers", "A, B,,C", ["A", "B", "C"]),
    ("forwarder_headers", "", []),
    ("forwarder_headers", None, []),
    ("forwarder_headers", ["A"], Raises("TypeError", "Not a string: ['A']")),
    # validate_string_to_addr_list
    ("forwarded_allow_ips", "*", ["*"]),
    ("forwarded_allow_ips", "10.0.0.0/8, ::1,fe80::/10", ["10.0.0.0/8", "::1", "fe80::/10"]),
    ("forwarded_allow_ips", "192.168.1.1/24", Raises("ValueError", "192.168.1.1/24 has host bits")),
    ("forwarded_allow_ips", "proxy", Raises("ValueError", "'proxy' does not appear to be an IPv4")),
    ("forwarded_allow_ips", ["::1"], Raises("TypeError", "Not a string: ['::1']")),
    # validate_dict
    ("secure_scheme_headers", {}, {}),
    ("secure_scheme_headers", {"X-A": "b"}, {"X-A": "b"}),
    ("secure_scheme_headers", "X-A", Raises("TypeError", "Value is not a dictionary: X-A ")),
    # validate_class
    ("worker_class", "sync", "sync"),
    ("worker_class", " pkg.Class ", "pkg.Class"),
    ("worker_class", AClass, AClass),
    ("worker_class", a_class, AClass),
    ("worker_class", a_name, "pkg.Class"),
    ("worker_class", None, None),
    ("worker_class", 5, Raises("TypeError", "Not a string: 5")),
    # validate_callable
    ("when_ready", hook1, hook1),
    ("when_ready", Holder.hook1, Raises("TypeError", "Value must have an arity of: 1")),
    ("when_ready", hook0, Raises("TypeError", "Value must have an arity of: 1")),
    ("when_ready", hook2, Raises("TypeError", "Value must have an arity of: 1")),
    ("pre_fork", hook2, hook2),
    ("pre_fork", hook2_star, hook2_star),
    ("pre_fork", Holder.hook1, Holder.hook1),
    ("pre_fork", f"{__name__}.hook2", hook2),
    ("pre_fork", f"{__name__}.nope", Raises("TypeError", f"Can not load 'nope' from '{__name__}'")),
    ("pre_fork", "no_module.hook", Raises("TypeError", "No module named 'no_module'")),
    (
        "pre_fork",
        "hook",
        Raises(
            "TypeError",
            "Value 'hook' is not import string. Format: module[.submodules...].object",
        ),
    ),
    ("pre_fork", 3, Raises("TypeError", "Value is not callable: 3")),
    ("pre_fork", None, Raises("TypeError", "Value is not callable: None")),
    ("nworkers_changed", hook3, hook3),
    ("post_request", hook4, hook4),
    ("post_request", hook1, Raises("TypeError", "Value must have an arity of: 4")),
    # validate_user, validate_group
    ("user", 12, 12),
    ("user", "12", 12),
    ("user", "root", 0),
    ("user", "nobody-here", Raises("ConfigError", "No such user: 'nobody-here'")),
    ("group", 12, 12),
    ("group", "12", 12),
    ("group", "root", 0),
    ("group", "nobody-here", Raises("ConfigError", "No such group: 'nobody-here'")),
    # validate_chdir
    ("chdir", "/", "/"),
    ("chdir", " /usr/../usr/ ", "/usr"),
    ("chdir", "/none/here", Raises("ConfigError", "can't chdir to '/none/here'")),
    ("chdir", 1, Raises("TypeError", "Not a string: 1")),
    # validate_reload_engine, validate_list_of_files_or_patterns
    ("reload_engine", "poll", "poll"),
    ("reload_engine", "watch", Raises("ConfigError", "Invalid reload_engine: 'watch'")),
    ("reload_extra_files", None, []),
    ("reload_extra_files", "/etc/passwd", ["/etc/passwd"]),
    ("reload_extra_files", ["/etc/pass*"], ["/etc/pass*"]),
    ("reload_extra_files", "/none", Raises("ValueError", "File /none does not exists.")),
    # validate_proxy_protocol
    *(("proxy_protocol", value, "off") for value in (None, False, "off", "FALSE", "0", " none")),
    *(("proxy_protocol", value, "auto") for value in (True, "auto", "True", "1")),
    ("proxy_protocol", "V1", "v1"),
    ("proxy_protocol", "v2", "v2"),
    (
        "proxy_protocol",
        "app:app",
        Raises("ValueError", "proxy_protocol must be: off, v1, v2, or auto"),
    ),
    ("proxy_protocol", 1, Raises("TypeError", "proxy_protocol must be string or bool")),
    # validate_header_map_behaviour
    ("header_map", None, None),
    ("header_map", " Refuse", "refuse"),
    ("header_map", "dangerous", "dangerous"),
    ("header_map", "Keep", Raises("ValueError", "Invalid header map behaviour: Keep")),
    ("header_map", 1, Raises("TypeError", "Invalid type for casting: 1")),
    # HTTP/2
    ("http_protocols", None, ["h1"]),
    ("http_protocols", " , ", ["h1"]),
    ("http_protocols", "H2, h1", ["h2", "h1"]),
    ("http_protocols", "h1,h3", Raises("ValueError", "Invalid protocol 'h3'. Valid protocols: h1")),
    ("http_protocols", "h1,h1", Raises("ValueError", "Duplicate protocols specified")),
    ("http_protocols", ["h1"], Raises("TypeError", "http_protocols must be a string")),
    ("http2_cleartext", None, "off"),
    ("http2_cleartext", True, "prior-knowledge"),
    ("http2_cleartext", False, "off"),
    ("http2_cleartext", " BOTH", "both"),
    ("http2_cleartext", "Yes", Raises("ValueError", "Invalid http2_cleartext: yes")),
    ("http2_cleartext", 1, Raises("TypeError", "Invalid type for casting: 1")),
    ("http2_max_concurrent_streams", "1", 1),
    ("http2_max_concurrent_streams", 0, Raises("ValueError", "at least 1: 0")),
    ("http2_initial_window_size", 2**31 - 1, 2**31 - 1),
    ("http2_initial_window_size", 2**31, Raises("ValueError", "at most 2147483647: 2147483648")),
    ("http2_max_frame_size", 16384, 16384),
    ("http2_max_frame_size", "16777215", 16777215),
    ("http2_max_frame_size", 16383, Raises("ValueError", "between 16384 and 16777215, got 16383")),
    ("http2_max_frame_size", 16777216, Raises("ValueError", "16777215, got 16777216")),
    # ASGI and parser
    ("asgi_loop", None, "auto"),
    ("asgi_loop", "UVLOOP", "uvloop"),
    ("asgi_loop", "Trio", Raises("ValueError", "Invalid ASGI loop: trio")),
    ("asgi_loop", 1, Raises("TypeError", "Invalid type for casting: 1")),
    ("asgi_lifespan", None, "auto"),
    ("asgi_lifespan", "on", "on"),
    ("asgi_lifespan", "Maybe", Raises("ValueError", "Invalid ASGI lifespan: maybe")),
    ("http_parser", None, "auto"),
    ("http_parser", " Fast", "fast"),
    ("http_parser", "c", Raises("ValueError", "http_parser must be one of: auto, fast, python")),
    ("http_parser", 1, Raises("TypeError", "http_parser must be a string")),
    # validate_statsd_address
    ("statsd_host", None, None),
    ("statsd_host", "stats", ("stats", 8125)),
    ("statsd_host", "stats:9", ("stats", 9)),
    ("statsd_host", "unix:9", ("unix", 9)),
    ("statsd_host", "unix:///run/x", "/run/x"),
    (
        "statsd_host",
        "a:b",
        Raises("TypeError", "Value must be one of ('host:port', 'unix://PATH')"),
    ),
    # validate_ssl_version
    ("ssl_version", 2, 2),
]


def failures(known_settings: list[Any], cases: list[tuple[str, Any, Any]]) -> list[str]:
    """Those of `cases` that a server's settings do not answer as expected."""
    settings = {setting.name: setting for setting in known_settings}
    wrong = []
    for name, value, expected in cases:
        try:
            got = settings[name].validator(value)
        except Exception as exc:
            ok = isinstance(expected, Raises) and (
                type(exc).__name__ == expected.kind and expected.text in str(exc)
            )
            got = exc
        else:
            ok = got == expected and type(got) is type(expected)
        if not ok:
            wrong.append(f"{name} = {value!r}: {got!r} instead of {expected!r}")
    return wrong
