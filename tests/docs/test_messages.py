"""docs/messages.md has every error and warning of the source, and no text that nobody says."""

from __future__ import annotations

import re

from harness import sayings
from harness.server import TESTS

ROOT = TESTS.parent
PACKAGE = ROOT / "python/rgunicorn"
PAGE = (ROOT / "docs/messages.md").read_text()

# What nobody sees as a message of the server, with the reason.
NOT_HERE = {
    "_alias.py": "an AttributeError of Python's kind",
    "doctor/": "its findings explain themselves: docs/doctor.md",
    "http/": "what an application or a worker class gets for a call that is wrong",
    "tls_socket.py": "the same",
    "uwsgi/": "the same",
    "uwsgi_import/": "its notes explain themselves: docs/coming-from/uwsgi.md",
}

# Said neither by a log call nor by `raise`: where it stands, and how.
ELSEWHERE = {
    "… = … needs …, which rgunicorn … does not have yet: ….": (
        "settings/unbuilt.py",
        "does not have yet",
    ),
    "reloading the logger configuration failed, keeping the previous one": (
        "reload.py",
        "reloading the logger configuration failed, keeping the previous one",
    ),
    "worker_class … needs the package …, which can not be imported here (…). Install it with …, "
    "in the same environment.": ("errors.py", "which can not be imported here"),
    "is no subclass of gunicorn.workers.base.Worker: derive the class from it.": (
        "settings/unbuilt.py",
        "is no subclass of gunicorn.workers.base.Worker: derive the class from it.",
    ),
    "can not be used, as Gunicorn has removed this worker: …": (
        "settings/unbuilt.py",
        "can not be used, as Gunicorn has removed this worker",
    ),
    "derives from the Worker of the real Gunicorn, …": (
        "settings/unbuilt.py",
        "derives from the Worker of the real Gunicorn",
    ),
    "Stuck request: … (…): …": ("forensics.py", '"Stuck request"'),
    "Lost request: … (…): …": ("forensics.py", '"Lost request"'),
    "Reload failed, the old configuration stays in force and the old workers serve on: …": (
        "reload.py",
        "Reload failed, the old configuration stays in force",
    ),
    "… servers are running here: say which, by its pid or pidfile": (
        "top/finding.py",
        "servers are running here: say which, by its pid or pidfile",
    ),
    "limit request headers fields": ("../../src/http/judge.rs", '"limit request headers fields"'),
    "limit request headers fields size": (
        "../../src/http/judge.rs",
        '"limit request headers fields size"',
    ),
    "the application returned a body without calling start_response": (
        "http/response.py",
        "the application returned a body without calling start_response",
    ),
    "Worker failed to boot.": ("../../src/fleet/ends.rs", "Worker failed to boot."),
    "App failed to load.": ("../../src/fleet/ends.rs", "App failed to load."),
}

# An INFO line; names of packages; what can not happen.
NO_TEXTS = {
    "Handling signal: …",
    "asgi",
    "gevent",
    "tornado",
    "uvicorn[standard]",
    "the last try returns or raises",
    # Calls of the core that only our own Python makes; with "closed", Python's words for an errno.
    "flights",
    "listener",
    "queue between workers",
    "queue to the master",
    "scoreboard",
    "status process",
    "the client's socket",
    "no course: …",
    "no event: …",
    "no fact: …",
    "no reason: …",
    "no strategy: …",
    "no style: …",
    "no wish: …",
    "nothing to tell: …",
    "this decoder has read its request",
    # The declarations have refused it before.
    "access_log_when: …",
}


def said() -> dict[str, str]:
    """Every text of the source, with a place where it is said."""
    found = {}
    for source in sorted(PACKAGE.rglob("*.py")):
        name = source.relative_to(PACKAGE).as_posix()
        texts = [*sayings.logged(source), *sayings.printed(source)]
        if not name.startswith(tuple(NOT_HERE)):
            texts += sayings.raised(source)
        found |= dict.fromkeys(texts, name)
    for source in sorted((ROOT / "src").rglob("*.rs")):
        texts = [*sayings.reported(source), *sayings.thrown(source)]
        found |= dict.fromkeys(texts, source.relative_to(ROOT).as_posix())
    for text in sayings.noticed(ROOT / "src/log/notice.rs"):
        found[text] = "src/log/notice.rs"
    for name in ("src/http/error.rs", "src/http/response.rs"):
        found |= dict.fromkeys(sayings.refused(ROOT / name), name)
    return {text: where for text, where in found.items() if text not in NO_TEXTS}


def explained(text: str) -> bool:
    # A text that ends with a tick needs a blank before those around it.
    return f"`{text}`" in PAGE or f"`` {text} ``" in PAGE


def test_every_message_is_explained() -> None:
    texts = said()
    assert len(texts) > 150
    missing = [f"{where}: {text}" for text, where in texts.items() if not explained(text)]
    assert not missing, missing


def test_what_is_said_otherwise_is_still_said() -> None:
    for text, (name, words) in ELSEWHERE.items():
        assert f"`{text}`" in PAGE, text
        # Of a text over two lines of the source, one word after the other.
        source = re.sub(r'"\s*\n\s*f?"', "", (PACKAGE / name).read_text())
        assert words in source, (name, words)


def test_no_message_is_explained_that_nobody_says() -> None:
    known = set(said()) | set(ELSEWHERE)
    stale = []
    for row in PAGE.splitlines():
        if not row.startswith("| `"):
            continue
        cell = row.removeprefix("| ").partition(" | ")[0]
        # A text may have ticks of its own inside.
        rest = cell
        for text in sorted(known, key=len, reverse=True):
            rest = rest.replace(f"`{text}`", "").replace(f"`` {text} ``", "")
        if re.search(r"\w", rest):
            stale.append(rest)
    assert not stale, stale


def test_the_readers_see_what_is_said() -> None:
    texts = said()
    assert texts["WORKER TIMEOUT (pid:…)"] == "supervisor.py"
    assert texts["can't chdir to …"] == "settings/validators.py"
    assert texts["static_map: … can not be served: …"] == "src/log/notice.rs"
    assert texts["Invalid HTTP request line: …"] == "src/http/error.rs"
    assert texts["Exception in post_request hook"] == "src/py/hooks.rs"
    assert texts["Response headers already set!"] == "src/py/start_response.rs"
    assert texts["Invalid status …"] == "src/http/response.rs"
