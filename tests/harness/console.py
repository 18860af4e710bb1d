"""The command of a server as pip installs it, under a name of one's own."""

from __future__ import annotations

import os
from pathlib import Path

from .server import Command


def install(directory: Path, command: Command, name: str | None = None) -> dict[str, str]:
    """Writes the console script of `command` into `directory`/bin.

    Args:
        name: what the script is called; as the server if None. A project whose files say
            `gunicorn` is moved to rgunicorn by a script of that name.

    Returns:
        PATH with that directory first, then that of the server's interpreter.
    """
    script = directory / "bin" / (name or command.name)
    script.parent.mkdir(parents=True, exist_ok=True)
    script.write_text(
        f"#!{command.python}\nimport sys\n\nfrom {command.name}.app.wsgiapp import run\n\n"
        "sys.exit(run())\n"
    )
    script.chmod(0o755)
    places = [str(script.parent), str(Path(command.python).parent), os.environ["PATH"]]
    return {"PATH": ":".join(places)}
