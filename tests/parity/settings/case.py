"""What a case of the settings' parity is made of; data, and no server started."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from parity.settings.stage import Stage

Values = Mapping[str, object] | Callable[["Stage"], Mapping[str, object]]
"""Settings, or what makes them of the directory and address of a stage."""


@dataclass(frozen=True)
class Case:
    """One observation that a setting has a say in.

    It is made three times: on Gunicorn and on rgunicorn with `set` in force, and on Gunicorn
    without. The first two must be equal, the third must be another one.
    """

    setting: str
    compared: str
    """What is looked at; a cell of the table in docs/compatibility.md."""
    observe: Callable[[Stage], object]
    set: Values = field(default_factory=dict)
    vacuous: str = ""
    """Why Gunicorn shows the same without the setting."""
    difference: str = ""
    """Row of docs/compatibility.md that makes ours another one than Gunicorn's."""
    ours: object = None
    """With `difference`: what rgunicorn must show."""
    short: str = ""
    """Tells several cases of one setting apart."""

    @property
    def name(self) -> str:
        return f"{self.setting}: {self.short}" if self.short else self.setting


@dataclass(frozen=True)
class Scene:
    """Cases that share their servers: each `set` of them is in force together with the others'.

    `base`, `config`, `files` and `env` hold with and without the settings; `set_config` (verbatim
    lines), `set_env` and `set_args` only with them. `acts` is done before the first observation.
    """

    name: str
    cases: tuple[Case, ...]
    base: Values = field(default_factory=dict)
    config: str = ""
    set_config: str = ""
    args: tuple[str, ...] = ()
    set_args: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    set_env: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)
    app: str | None = "probe:app"
    late: bool = False
    """The server starts without the settings; `acts` brings them in."""
    starts: bool = True
    """False: the cases run commands of their own."""
    prepare: Callable[[Stage], None] | None = None
    """Called before the server is started."""
    acts: Callable[[Stage], None] | None = None
    pending: str = ""
    """The feature that rgunicorn does not have yet: it must refuse these settings. The day it does
    not, the scene fails until this mark is removed."""
    packages: bool = False
    """Needs the environment with the packages of others."""
    root: bool = False
    """Needs the rights of root."""


@dataclass(frozen=True)
class Reason:
    """Why there is no case for a setting, beyond that both servers read and show its value."""

    setting: str
    why: str
