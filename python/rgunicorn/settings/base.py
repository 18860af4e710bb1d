"""`Setting`, the form of every declaration in this package, and the list of all of them.

A subclass registers itself in `KNOWN_SETTINGS` when its class body is read, in the order of the
bodies; config files and applications may declare further ones the same way.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable

from rgunicorn.errors import ConfigError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from argparse import _ActionsContainer
    from typing import Any

    from rgunicorn.config import Config

    # Inside `Setting` the names `type` and `set` are attributes.
    SettingType = type["Setting"]

KNOWN_SETTINGS: list[SettingType] = []


class Unbuilt:
    """Says that a feature is not there yet, so that using its setting is refused at boot.

    Args:
        feature: what the setting needs, as in "… needs {feature}".
        instead: what the user can do today, as an instruction.
        switches: settings that turn the feature on. A setting that only tunes it has no effect
            while all of them have their defaults, in Gunicorn too, and is let through then.
    """

    __slots__ = ("feature", "instead", "switches")

    def __init__(self, feature: str, instead: str, switches: tuple[str, ...] = ()) -> None:
        self.feature = feature
        self.instead = instead
        self.switches = switches

    def behind(self, *switches: str) -> Unbuilt:
        """The same for a setting that counts only when one of `switches` is used."""
        return Unbuilt(self.feature, self.instead, switches)


class Setting:
    """One setting: its names, how a value is read, its default and its documentation.

    Subclasses set class attributes; an instance holds one value.
    """

    #: Name in config files and on `Config`.
    name: str = ""
    #: Heading it is listed under.
    section: str | None = None
    #: Flags, or None for a setting that has none.
    cli: list[str] | None = None
    #: Placeholder of the flag's value in `--help`.
    meta: str | None = None
    #: Turns any accepted value into the stored one; raises ValueError, TypeError or ConfigError.
    validator: Any = None
    #: Turns the flag's text into a value; argparse reports its ValueError as a usage error.
    type: Any = None
    #: argparse action; `store` when None.
    action: str | None = None
    #: argparse `nargs` and `const`.
    nargs: Any = None
    const: Any = None
    #: Value before validation; None is stored as it is.
    default: Any = None
    #: The default as the settings page shows it, where it depends on machine or environment.
    default_doc: str | None = None
    #: Environment variable that the default comes from when it is set.
    default_env: str | None = None
    #: Markdown; the first line stands alone as the help text.
    desc: str = ""
    short: str = ""
    #: Place in `KNOWN_SETTINGS`.
    order: int = -1
    #: Set while what the setting controls is not built.
    unbuilt: Unbuilt | None = None

    value: Any = None

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "validator" in cls.__dict__:
            # Written as a plain function in the class body; it must not become a method.
            cls.validator = staticmethod(cls.__dict__["validator"])
        cls.desc = _dedent(cls.desc)
        cls.short = cls.desc.partition("\n")[0]
        cls.order = len(KNOWN_SETTINGS)
        KNOWN_SETTINGS.append(cls)

    def __init__(self) -> None:
        if self.default is None:
            return
        try:
            self.set(self.default)
        except (ValueError, TypeError, ConfigError) as exc:
            if self.default_env is None or self.default_env not in os.environ:
                raise
            raw = os.environ[self.default_env]
            raise ConfigError(
                f"environment variable {self.default_env}={raw!r} is no value for "
                f"{self.name}: {exc}"
            ) from exc

    def add_option(self, parser: _ActionsContainer) -> None:
        """Adds the flags to an argparse parser or group, with no default: an option that is not
        given must not hide a config file."""
        if not self.cli:
            return
        shown = "" if self.default in (None, False, "", []) else f" [{self.default}]"
        options: dict[str, Any] = {
            "dest": self.name,
            "action": self.action or "store",
            "default": None,
            "help": (self.short + shown).replace("%", "%%"),
        }
        if options["action"] == "store":
            options["type"] = self.type or str
        if self.meta is not None:
            options["metavar"] = self.meta
        if self.nargs is not None:
            options["nargs"] = self.nargs
        if self.const is not None:
            options["const"] = self.const
        parser.add_argument(*self.cli, **options)

    def copy(self) -> Setting:
        """A second holder of the same value."""
        import copy

        return copy.copy(self)

    def get(self) -> Any:
        """The validated value."""
        return self.value

    def set(self, val: Any) -> None:
        """Validates and stores `val`."""
        if not callable(self.validator):
            raise TypeError(f"Invalid validator: {self.name}")
        self.value = self.validator(val)

    def unbuilt_use(self, cfg: Config) -> Unbuilt | None:
        """What is missing for the present value; None when everything is there."""
        if self.unbuilt is None or self.has_default:
            return None
        switches = self.unbuilt.switches
        if switches and all(cfg.settings[name].has_default for name in switches):
            return None
        return self.unbuilt

    @property
    def has_default(self) -> bool:
        """Whether the present value is the default, set or not."""
        return bool(self.value == self.__class__().value)

    def __lt__(self, other: Setting) -> bool:
        return self.section == other.section and self.order < other.order

    def __repr__(self) -> str:
        kind = self.__class__
        return (
            f"<{kind.__module__}.{kind.__name__} object at {id(self):x} with value {self.value!r}>"
        )


def make_settings(ignore: Iterable[str] | None = None) -> dict[str, Setting]:
    """Fresh instances of all known settings by name, without those in `ignore`."""
    ignored = frozenset(ignore or ())
    return {known.name: known() for known in KNOWN_SETTINGS if known.name not in ignored}


def auto_int(_: object, x: str) -> int:
    """Reads a number of any base, `0022` as octal like chmod(1); `type` of a `Setting`."""
    if re.match(r"0\d", x):
        x = "0o" + x[1:]
    return int(x, 0)


def _dedent(text: str) -> str:
    """`textwrap.dedent` without importing it at boot; the first line may start at the quotes."""
    first, *rest = text.strip("\n").expandtabs().split("\n")
    counted = [first, *rest] if first[:1] == " " else rest
    margin = min((len(line) - len(line.lstrip()) for line in counted if line.strip()), default=0)
    return "\n".join([first.strip(), *(line[margin:].rstrip() for line in rest)]).strip()
