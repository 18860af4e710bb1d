"""Each check has a configuration that triggers it, and a like one that does not."""

from __future__ import annotations

from typing import Any

import pytest

from doctor.illnesses import CASES
from doctor.patient import Healthy, checks, django, found, subject
from rgunicorn.doctor.examination import CHECKS
from rgunicorn.doctor.finding import ERROR


@pytest.mark.parametrize(
    ("severity", "check", "setting", "ill", "well", "facts"),
    CASES,
    ids=[f"{case[1]}-{case[2]}-{i}" for i, case in enumerate(CASES)],
)
def test_check(
    severity: str, check: str, setting: str, ill: str, well: str, facts: dict[str, Any]
) -> None:
    hits = [f for f in found(ill, **facts) if (f.check, f.setting) == (check, setting)]
    assert [hit.severity for hit in hits] == [severity], found(ill, **facts)
    assert hits[0].why and hits[0].change
    if check != "overruled":
        assert (check, setting) not in checks(well, **facts)


def test_overruled_by_the_command_line() -> None:
    assert ("overruled", "timeout") in checks("timeout = 5", "-t 6")
    assert ("overruled", "timeout") not in checks("timeout = 6", "-t 6")
    assert ("overruled", "wsgi_app") not in checks("wsgi_app = 'a:b'")


def test_djangos_debug_mode() -> None:
    assert checks(modules=django(DEBUG=True)) == [("django-debug", None)]
    assert checks(modules=django(DEBUG=False)) == []


def test_a_broken_application() -> None:
    (finding,) = found(app="a:b", app_error="Traceback\n  here\nImportError: No module named 'a'\n")
    assert (finding.check, finding.severity) == ("application", ERROR)
    assert finding.why == "ImportError: No module named 'a'"


@pytest.mark.parametrize(
    "config",
    [
        "",
        "import multiprocessing\nworkers = multiprocessing.cpu_count() and 3\n",
        "from os import environ as env\nbind = '127.0.0.1:' + env.get('PORT', '1')\n",
        "WORKERS = 3\nworkers = WORKERS\n",
        "port = 8000\nhost = '127.0.0.1'\nbind = f'{host}:{port}'\n",
        "max_worker = 3\nworkers = min(max_worker, 2)\n",
        "_private = 1\nAPP_NAME = 'x'\nproject_dir = '/x'\n",
        "def helper(): pass\ndef make_bind(): return ':1'\n",
        "count = 0\ndef pre_request(worker, req):\n    global count\n    count += 1\n",
        "class Filter: pass\n",
        "try:\n    import timeout as Timeout\nexcept ImportError:\n    Timeout = None\n",
    ],
)
def test_helpers_of_a_file_are_its_own_business(config: str) -> None:
    assert checks(config) == []


def test_every_check_is_tried() -> None:
    """Each function of the list yields something of some case, or in a test above."""
    silent = set(CHECKS)
    for case in CASES:
        for check in list(silent):
            machine = case[5].get("machine") or Healthy()
            fields = {k: v for k, v in case[5].items() if k != "machine"}
            if list(check(subject(case[3], **fields), machine)):
                silent.discard(check)
    assert {check.__name__ for check in silent} == {"imported", "django"}
