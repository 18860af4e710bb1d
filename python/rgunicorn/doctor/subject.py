"""What is examined: a configuration, and where each of its values comes from."""

from __future__ import annotations

from dataclasses import dataclass, field

from rgunicorn.doctor.finding import Finding
from rgunicorn.doctor.source import Source

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from rgunicorn.config import Config
    from rgunicorn.settings.base import Setting


@dataclass
class Subject:
    """A configuration that was loaded as the server would load it.

    `flags` and `env_flags` are what the command line and `GUNICORN_CMD_ARGS` set; `names` are all
    names of the config file `source` with their values.
    """

    cfg: Config
    flags: dict[str, Any] = field(default_factory=dict)
    env_flags: dict[str, Any] = field(default_factory=dict)
    names: dict[str, Any] = field(default_factory=dict)
    source: Source | None = None
    environ: dict[str, str] = field(default_factory=dict)
    failures: list[Finding] = field(default_factory=list)
    """Why the configuration could not be loaded as a whole."""
    complete: bool = True
    """Whether all values are set: where loading failed, those after the failure are not."""
    app: str | None = None
    """What the command line or the file names as the application."""
    app_error: str | None = None
    """Why it could not be imported: message, and the user's frames."""
    positional: bool = False
    """Whether the command line names the application."""
    modules: dict[str, Any] = field(default_factory=dict)
    """What is imported after the application was: where frameworks can be looked at."""
    threads: list[str] = field(default_factory=list)
    """Names of threads that importing the application has started."""

    def origin(self, name: str) -> str | None:
        """Where a setting's value comes from; None for a default that nothing has changed."""
        setting = self.cfg.settings.get(name)
        if name in self.flags and setting is not None:
            return f"command line: {_flag(setting)}"
        if name in self.env_flags and setting is not None:
            return f"GUNICORN_CMD_ARGS: {_flag(setting)}"
        if name in self.names and self.source is not None:
            number = self.source.bound.get(name)
            return f"{self.source.path}:{number}" if number else self.source.path
        variable = getattr(setting, "default_env", None)
        if variable is not None and variable in self.environ:
            return f"environment variable {variable}"
        return None

    def line(self, name: str) -> str | None:
        """The line of the file that sets `name`, when the file is what counts."""
        if name in self.flags or name in self.env_flags or self.source is None:
            return None
        number = self.source.bound.get(name)
        return self.source.line(number) if number and name in self.names else None

    def write(self, name: str, value: object) -> str:
        """How a setting is given the value `value`, in the place where it is set now."""
        setting = self.cfg.settings[name]
        if (name in self.flags or name in self.env_flags) and setting.cli:
            if value is True or (setting.action or "store").startswith("store_"):
                return _flag(setting)
            return f"{_flag(setting)} {value}"
        return f"{name} = {value!r}"

    def drop(self, name: str) -> str:
        """How a setting is taken away, in the place where it is set now."""
        if name in self.flags or name in self.env_flags:
            return f"leave {_flag(self.cfg.settings[name])} out"
        return "remove this line" if self.line(name) else f"remove {name}"

    def finding(
        self, severity: str, check: str, name: str, why: str, change: str, details: str = ""
    ) -> Finding:
        """A finding about the setting `name` with the value it has."""
        return Finding(
            severity,
            check,
            why,
            change,
            name,
            shown(self.cfg.settings[name].get()),
            self.origin(name),
            self.line(name),
            details or None,
        )


def shown(value: object) -> str:
    """A value as the file would say it; of functions and classes the name."""
    return getattr(value, "__qualname__", None) or repr(value)


def _flag(setting: Setting) -> str:
    return setting.cli[-1] if setting.cli else setting.name
