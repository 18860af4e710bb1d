"""Projects on Django and Flask: requests, processes, logs, reload, end."""

from __future__ import annotations

from harness.wire import Wire, get, post
from parity import normal
from realconfigs.conftest import Both
from realconfigs.deployment import Deployment, Record

HTTPS = "X-Forwarded-Proto: https"


def undated(answer: Record) -> Record:
    """Each server has collected its own files, perhaps in the next second."""
    dates = ("Last-Modified", "ETag")
    headers: list[tuple[str, str]] = answer["headers"]  # type: ignore[assignment]
    assert {name for name, _ in headers} >= set(dates)
    return answer | {"headers": [field for field in headers if field[0] not in dates]}


def test_django(both: Both) -> None:
    def story(site: Deployment) -> Record:
        site.wait_workers(2)
        seen: Record = {
            "titles": site.titles(),
            "answers": [
                site.get("/"),
                site.get("/", HTTPS),
                site.get("/export/"),
                undated(site.get("/static/site.css", "Cookie: a=b")),
                undated(site.get("/static/site.css", "Range: bytes=0-3")),
                site.get("/nothing/"),
                site.get("/broken/"),
                site.answer(post("/", b"a=1", "Content-Type: application/x-www-form-urlencoded")),
            ],
        }
        site.reload(2)
        return seen | {"after": site.get("/"), "exit": site.stop(), "log": site.log_lines()}

    env = {"DJANGO_SECRET_KEY": "only for a test", "WEB_CONCURRENCY": "2"}
    seen = both("django", story, env=env)
    assert (
        seen["titles"]
        == ["gunicorn: master [config.wsgi]"] + ["gunicorn: worker [config.wsgi]"] * 2
    )
    assert [answer["status"] for answer in seen["answers"]] == [  # type: ignore[attr-defined]
        *("HTTP/1.1 200 OK",) * 4,
        "HTTP/1.1 206 Partial Content",
        "HTTP/1.1 404 Not Found",
        "HTTP/1.1 500 Internal Server Error",
        "HTTP/1.1 403 Forbidden",
    ]


MULTIPART = (
    b"--part\r\nContent-Disposition: form-data; name=a; filename=a.bin\r\n\r\n"
    + bytes(200_000)
    + b"\r\n--part--\r\n"
)


def test_flask(both: Both) -> None:
    def story(site: Deployment) -> Record:
        site.wait_workers(2)
        forwarded = (HTTPS, "X-Forwarded-For: 192.0.2.7", "X-Forwarded-Prefix: /shop")
        return {
            "titles": site.titles(),
            "answers": [
                site.get("/?q=1"),
                site.get("/", *forwarded),
                site.answer(
                    post("/upload", MULTIPART, "Content-Type: multipart/form-data; boundary=part")
                ),
                site.get("/broken"),
                site.answer(get("/", method="HEAD")),
            ],
            "exit": site.stop(),
            "log": site.log_lines(),
        }

    seen = both("flask", story)
    assert "'production'" in str(seen["titles"]) and '"production"' in str(seen["answers"])


def test_superset(both: Both) -> None:
    def story(site: Deployment) -> Record:
        site.wait_workers(1)
        # No limit for the line; for a field 0 is the default limit, whatever its authors meant.
        line = f"/explore/?form_data={'x' * 20_000}"
        long = get(line, f"Cookie: {'y' * 8000}", HTTPS)
        with Wire(site.address) as wire:
            kept = [normal.response(wire.send(long).response()) for _ in range(3)]
        return {
            "titles": site.titles(),
            "kept": kept,
            "too long": site.get(line, f"Cookie: {'y' * 8200}"),
            "exit": site.stop(),
            "log": site.log_lines(),
        }

    env = {"FLASK_APP": "superset.app:create_app()", "FORWARDED_ALLOW_IPS": "*"}
    place = {"SUPERSET_BIND_ADDRESS": "127.0.0.1", "SUPERSET_PORT": "{port}"}
    seen = both("superset", story, env=env | place)
    assert b'"form_data":20000' in seen["kept"][0]["body"]  # type: ignore[index]


def test_netbox(both: Both) -> None:
    def story(site: Deployment) -> Record:
        site.wait_workers(2)
        proxied = ("X-Forwarded-Host: netbox.example.test", HTTPS)
        body = b'{"name": "router"}'
        seen: Record = {
            "titles": site.titles(),
            "pidfile": site.file("netbox.pid"),
            "answers": [
                site.get("/api/dcim/devices/", *proxied),
                site.answer(post("/api/dcim/devices/", body, "Content-Type: application/json")),
                site.get("/api/dcim/devices", *proxied),
            ],
        }
        site.reload(2)
        return seen | {
            "after": site.get("/api/dcim/devices/"),
            "exit": site.stop(),
            "pidfile after": site.file("netbox.pid"),
            "log": site.log_lines(),
        }

    seen = both("netbox", story, env={"NETBOX_PORT": "{port}"})
    assert (seen["pidfile"], seen["pidfile after"]) == ("PID\n", None)
