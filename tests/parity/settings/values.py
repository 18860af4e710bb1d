"""Each setting's value, once as a flag and once in a config file, as `--print-config` shows it."""

from __future__ import annotations

from collections.abc import Mapping

from parity.settings.case import Case, Scene
from parity.settings.facts import FACTS, NAMES
from parity.settings.stage import Stage

SPECIAL: dict[str, str] = {
    "backlog": "7",
    "bind": "127.0.0.9:1234",
    "cert_reqs": "2",
    "chdir": "/",
    "config": "other.py",
    "control_socket_mode": "0o640",
    "forwarded_allow_ips": "10.0.0.0/8,::1",
    "group": "nogroup",
    "header_map": "refuse",
    "http2_cleartext": "both",
    "http2_initial_window_size": "70000",
    "http2_max_frame_size": "20000",
    "http_parser": "python",
    "asgi_lifespan": "off",
    "asgi_loop": "uvloop",
    "logger_class": "gunicorn.glogging.Logger2",
    "proxy_allow_ips": "10.0.0.1",
    "proxy_protocol": "v2",
    "raw_env": "A=b",
    "raw_paste_global_conf": "a=b",
    "reload_engine": "poll",
    "reload_extra_files": "broken.py",
    "statsd_host": "127.0.0.1:8125",
    "ssl_version": "TLSv1_2",
    "umask": "0o27",
    "user": "nobody",
    "uwsgi_allow_ips": "10.0.0.1",
    "worker_class": "gthread",
}
SAME: dict[str, str] = {
    "http_protocols": "`h2` needs a package that real Gunicorn has not here",
    "paste": "reading it needs PasteDeploy",
    "check_config": "an action, not a value of the file",
    "print_config": "an action, not a value of the file",
    "suppress_ragged_eofs": "its flag can only say the default",
    "secure_scheme_headers": "no flag",
}
"""Settings whose flag is left out, with the reason."""

FILE: dict[str, object] = {
    "logconfig_dict": {"version": 1},
    "secure_scheme_headers": {"X-A": "b"},
    "forwarder_headers": "A,B",
    "suppress_ragged_eofs": False,
    "cert_reqs": 2,
    "control_socket_mode": 0o640,
    "umask": 0o27,
    "statsd_host": "unix:///x",
    "wsgi_app": "probe:app",
    "tmp_upload_dir": "/tmp",
    "default_proc_name": "fallback",
    "sendfile": False,
}
NOT_IN_A_FILE = {"config", "http_protocols", "paste", "check_config", "print_config"}


def is_flag(name: str) -> bool:
    return bool(FACTS[name]["cli"]) and name not in SAME


def words() -> tuple[str, ...]:
    found: list[str] = []
    for name in NAMES:
        if not is_flag(name):
            continue
        found.append(FACTS[name]["cli"][0])
        if FACTS[name]["action"] in (None, "append"):
            found.append(text(name))
    return tuple(found)


def text(name: str) -> str:
    return SPECIAL.get(name, "77" if FACTS[name]["type"] in ("int", "auto_int") else f"a-{name}")


def in_file() -> Mapping[str, object]:
    found: dict[str, object] = {}
    for name in NAMES:
        kind = FACTS[name]["validator"]
        if name in NOT_IN_A_FILE or FACTS[name]["default"] == "<callable>":
            continue
        if name in FILE:
            found[name] = FILE[name]
        elif kind == "validate_bool":
            found[name] = True
        elif kind.startswith("validate_list"):
            found[name] = [text(name)]
        else:
            found[name] = text(name)
    return found


HOOKS = {name: FACTS[name]["validator"] for name in NAMES if FACTS[name]["default"] == "<callable>"}
ARITY = {
    "validate_callable(1)": "a",
    "validate_callable(2)": "a, b",
    "validate_callable(3)": "a, b, c",
}
FUNCTIONS = "\n".join(
    f"def {name}({ARITY.get(kind, 'a, b, c, d')}): pass" for name, kind in HOOKS.items()
)


def printed(stage: Stage) -> None:
    ran = stage.run("--print-config")
    found = dict(line.split("=", 1) for line in ran.stdout if "=" in line)
    stage.notes["values"] = {name.strip(): value.strip() for name, value in found.items()}


def value(name: str):  # type: ignore[no-untyped-def]
    def observe(stage: Stage) -> object:
        values = stage.notes["values"]
        assert isinstance(values, dict)
        return values[name]

    return observe


SCENES = (
    Scene(
        "flags",
        tuple(Case(name, "", value(name), short="flag") for name in NAMES if is_flag(name)),
        base={"control_socket_disable": False},
        # Those of the file do not count with `-c`.
        files={"other.py": "", "broken.py": ""},
        set_args=words(),
        acts=printed,
        starts=False,
    ),
    Scene(
        "values of a file",
        tuple(
            Case(name, "", value(name), short="file") for name in NAMES if name not in NOT_IN_A_FILE
        ),
        base={"control_socket_disable": False, "bind": "127.0.0.8:1"},
        files={"broken.py": ""},
        set_config="\n".join(f"{name} = {value!r}" for name, value in in_file().items())
        + "\n"
        + FUNCTIONS,
        acts=printed,
        starts=False,
    ),
)
