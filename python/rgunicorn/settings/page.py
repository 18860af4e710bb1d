"""The settings page of the documentation, made from the declarations.

    python -m rgunicorn.settings.page docs/settings.md

writes it. A test compares the committed page with what this module makes of the declarations.
"""

from __future__ import annotations

import sys

from rgunicorn.settings.base import KNOWN_SETTINGS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from rgunicorn.settings.base import Setting

_INTRO = """\
# Settings

<!-- Made by `python -m rgunicorn.settings.page docs/settings.md`; change the declarations in
python/rgunicorn/settings/ instead. -->

All settings of Gunicorn 27.0.1, with its names, flags, defaults and rules, and at the end those
that only rgunicorn has. A `gunicorn.conf.py` serves both servers.

## Where values come from

From the weakest to the strongest; a stronger value replaces a weaker one as a whole, lists too:

1. defaults, some of them taken from environment variables: `WEB_CONCURRENCY`, `PORT`,
   `FORWARDED_ALLOW_IPS`
2. what a framework's own application class sets
3. the config file: `-c`, else the `-c` in `GUNICORN_CMD_ARGS`, else `./gunicorn.conf.py`
4. the environment variable `GUNICORN_CMD_ARGS`, written like a command line
5. the command line

In a config file names count only if they are exactly those below; all others are ignored. A
value that a setting does not take ends the start with exit code 1 and a message that names the
setting and the value. `rgunicorn --print-config APP` shows what came out, `rgunicorn
--check-config APP` whether it would start.

## What is not built yet

Some features of Gunicorn are not built yet. Their settings are known and checked, and marked
below; a value that would use such a feature is refused at boot, with what to use instead. Nothing
is silently left out.

`keepalive` has no effect in Gunicorn's sync worker; here it counts when `sync_keepalive` is on.
"""


def render() -> str:
    """The page as Markdown."""
    parts = [_INTRO]
    sections: dict[str | None, list[type[Setting]]] = {}
    for setting in KNOWN_SETTINGS:
        sections.setdefault(setting.section, []).append(setting)
    for section, members in sections.items():
        parts.append(f"## {section}\n")
        parts.extend(_entry(setting) for setting in members)
    return "\n".join(parts)


def _entry(setting: type[Setting]) -> str:
    facts = [f"- Default: {_default(setting)}"]
    if setting.cli:
        flags = ", ".join(f"`{flag}{_argument(setting)}`" for flag in setting.cli)
        facts.insert(0, f"- Flags: {flags}")
    else:
        facts.insert(0, "- Config file only")
    if setting.unbuilt is not None:
        facts.append(
            f"- **Not built yet**: needs {setting.unbuilt.feature}. Instead: "
            f"{setting.unbuilt.instead}."
        )
    return "\n".join([f"### {setting.name}\n", *facts, "", setting.desc, ""])


def _argument(setting: type[Setting]) -> str:
    if (setting.action or "").startswith("store_"):
        return ""
    meta = setting.meta or setting.name.upper()
    return f" [{meta}]" if setting.nargs == "?" else f" {meta}"


def _default(setting: type[Setting]) -> str:
    if setting.default_doc is not None:
        return setting.default_doc
    if setting.default is None:
        return "not set"
    return "does nothing" if callable(setting.default) else f"`{setting.default!r}`"


def main(argv: list[str]) -> int:
    """Writes the page to the path in `argv`, or to stdout if there is none."""
    if not argv:
        sys.stdout.write(render())
        return 0
    with open(argv[0], "w", encoding="utf-8") as page:
        page.write(render())
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
