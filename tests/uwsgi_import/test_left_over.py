"""Options that become no setting: where they stand in the summary, and what is said of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from rgunicorn.uwsgi_import.draft import Fate
from uwsgi_import.imported import of_lines, settings

# Lines that become nothing, the name, its fate, and a word of the reason or of what to use instead.
NOT_CARRIED: list[tuple[list[str], Fate, str]] = [
    (["master"], Fate.UNNEEDED, "always a master"),
    (["die-on-term"], Fate.UNNEEDED, "TERM always stops"),
    (["no-orphans = true"], Fate.UNNEEDED, "Workers end"),
    (["py-call-osafterfork = true"], Fate.UNNEEDED, "fork hooks"),
    (["cheaper-busyness-max = 70"], Fate.UNNEEDED, "other rules"),
    (["memory-report"], Fate.UNNEEDED, "rgunicorn top"),
    (["home = /venv"], Fate.ELSEWHERE, "bin/rgunicorn"),
    (["emperor = /etc/vassals"], Fate.ELSEWHERE, "systemd template"),
    (["vassals-include = a.ini"], Fate.ELSEWHERE, "systemd template"),
    (["spooler = /spool"], Fate.ELSEWHERE, "Celery"),
    (["spooler-processes = 2"], Fate.ELSEWHERE, "Celery"),
    (["mule"], Fate.ELSEWHERE, "program of its own"),
    (["cron2 = minute=5 ls"], Fate.ELSEWHERE, "systemd timer"),
    (["cache2 = name=a,items=10"], Fate.ELSEWHERE, "Redis"),
    (["queue = 10"], Fate.ELSEWHERE, "Redis"),
    (["route = ^/a break:403"], Fate.ELSEWHERE, "location"),
    (["add-header = X: y"], Fate.ELSEWHERE, "add_header"),
    (["attach-daemon = memcached"], Fate.ELSEWHERE, "systemd"),
    (["smart-attach-daemon = /p x"], Fate.ELSEWHERE, "systemd"),
    (["hook-post-fork = print:a"], Fate.ELSEWHERE, "post_fork"),
    (["exec-pre-app = rm -rf /"], Fate.ELSEWHERE, "Nothing is run"),
    (["limit-as = 512"], Fate.ELSEWHERE, "max_rss"),
    (["mount = /a=a:app", "mount = /b=b:app"], Fate.ELSEWHERE, "location"),
    (["async = 10"], Fate.MISSING, "gevent"),
    (["reload-on-as = 512"], Fate.MISSING, "max_rss"),
    (["catch-exceptions"], Fate.MISSING, "never sent"),
    (["http-timeout = 30"], Fate.MISSING, "request_timeout"),
    (["so-keepalive"], Fate.MISSING, "sysctl"),
    (["fastcgi-socket = :9000"], Fate.MISSING, "uwsgi_pass"),
    (["php-docroot = /srv"], Fate.MISSING, "Only Python"),
    (["socket = *:80"], Fate.OPEN, "not HOST:PORT"),
    (["socket = :99999"], Fate.OPEN, "not HOST:PORT"),
    (["socket = @shop"], Fate.OPEN, "abstract"),
    (["http = =3"], Fate.OPEN, "no shared-socket number 3"),
    (["http = fd://x"], Fate.OPEN, "no descriptor"),
    (["wsgi-file = /srv/my app.py"], Fate.OPEN, "no name that can be imported"),
    (["https = :443,a.crt"], Fate.OPEN, "ADDRESS,CERTIFICATE,KEY"),
    (["processes = many"], Fate.OPEN, "no number"),
    (["harakiri = -1"], Fate.OPEN, "no number"),
    (["log-slow = true"], Fate.OPEN, "uWSGI reads 0"),
    (["max-requests = 0"], Fate.UNNEEDED, "0 is off"),
    (["module = 1 2"], Fate.OPEN, "no name of a module"),
    (["module = a:b.c"], Fate.OPEN, "no name in a module"),
    (["wsgi-file = app.wsgi"], Fate.OPEN, "not called .py"),
    (["umask = 999"], Fate.OPEN, "octal"),
    (["env = A"], Fate.OPEN, "NAME=VALUE"),
    (["pythonpath = /a/*"], Fate.OPEN, "pattern"),
    (["static-map = /f.ico=/srv/f.ico"], Fate.OPEN, "single file"),
    (["static-map = s=/srv"], Fate.OPEN, "slash"),
    (["static-map = /a/../b=/srv"], Fate.OPEN, "no path begins"),
    (["logger = rsyslog:1.2.3.4:514"], Fate.OPEN, "syslog_addr"),
    (["reuse-port = no"], Fate.UNNEEDED, "It is off"),
    (["catch-exceptions = false"], Fate.UNNEEDED, "It is off"),
    (["proceses = 4"], Fate.UNKNOWN, "perhaps processes"),
    (["qwertyuiop = 4"], Fate.UNKNOWN, "placeholder"),
]


@pytest.mark.parametrize(("lines", "fate", "reason"), NOT_CARRIED)
def test_lines_that_become_nothing(
    tmp_path: Path, lines: list[str], fate: Fate, reason: str
) -> None:
    draft = of_lines(tmp_path, *lines)
    assert settings(draft) == {}
    assert [one.fate for one in draft.left] == [fate] * len(lines)
    one = draft.left[0]
    assert reason in f"{one.why} {one.instead}"
