"""Makes `gunicorn.x` mean `rgunicorn.x` in a process that runs this server.

Config files, logger classes and workers import `gunicorn`; in our process they must get the very
objects that serve, also when the real Gunicorn is installed. Installed by `BaseApplication`, never
by importing this package.

Modules below `gunicorn` are ours under a second name. `gunicorn` itself is an object of its own,
for one reason: programs look at `gunicorn.version_info` to know what they may use, and that
question is about Gunicorn. Everything else in it is read from and written to `rgunicorn`.
"""

from __future__ import annotations

import os
import sys
from importlib import import_module
from importlib.machinery import BuiltinImporter, FrozenImporter, ModuleSpec, PathFinder
from importlib.util import find_spec
from types import ModuleType

import rgunicorn

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import CodeType
    from typing import Any

_STANDARD_FINDERS = (BuiltinImporter, FrozenImporter, PathFinder)


def install() -> None:
    """Installs the alias, once.

    Does nothing when `RGUNICORN_ALIAS=0` is in the environment, or when this process has already
    imported the real Gunicorn: half of one and half of the other would be worse.
    """
    if os.environ.get("RGUNICORN_ALIAS") == "0" or "gunicorn" in sys.modules:
        return

    # Before the finders that could find the real one, but behind finders that only watch
    # imports: newrelic instruments modules by the names `gunicorn` and `gunicorn.app.base`,
    # which it must see being imported.
    places = (i for i, finder in enumerate(sys.meta_path) if finder in _STANDARD_FINDERS)
    sys.meta_path.insert(next(places, 0), AliasFinder())
    import_module("gunicorn.app.base")


def installed() -> bool:
    """Whether `gunicorn` is this package in this process."""
    return isinstance(sys.modules.get("gunicorn"), TopLevel)


class TopLevel(ModuleType):
    """The module `gunicorn`: `rgunicorn`, but for its version and what belongs to the name."""

    def __init__(self) -> None:
        super().__init__("gunicorn", rgunicorn.__doc__)
        self.__version__ = rgunicorn.GUNICORN_VERSION
        self.version_info = tuple(int(part) for part in rgunicorn.GUNICORN_VERSION.split("."))

    def __getattr__(self, name: str) -> Any:
        if name in _OF_THE_NAME:
            raise AttributeError(f"module 'gunicorn' has no attribute {name!r}")
        return getattr(rgunicorn, name)

    def __setattr__(self, name: str, value: Any) -> None:
        if name in _OF_THE_NAME:
            super().__setattr__(name, value)
        else:
            setattr(rgunicorn, name, value)

    def __delattr__(self, name: str) -> None:
        if name in _OF_THE_NAME:
            super().__delattr__(name)
        else:
            delattr(rgunicorn, name)

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *dir(rgunicorn)})


# What `gunicorn` and `rgunicorn` do not share.
_OF_THE_NAME = frozenset(
    (
        "__version__",
        "version_info",
        "__name__",
        "__doc__",
        "__package__",
        "__loader__",
        "__spec__",
        "__path__",
        "__file__",
        "__cached__",
        "__class__",
        "__dict__",
    )
)


class AliasFinder:
    """Finds modules of `gunicorn` that `rgunicorn` has."""

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None = None,
        target: ModuleType | None = None,
    ) -> ModuleSpec | None:
        """The spec of an alias, or None for names that are not ours."""
        if fullname.partition(".")[0] != "gunicorn":
            return None
        real = find_spec(f"r{fullname}")
        if real is None:
            return None
        # Where it is and whether it is a package, for those who only ask.
        loader: Any = AliasLoader(real)
        spec = AliasSpec(fullname, loader, origin=real.origin)
        spec.has_location = real.has_location
        if real.submodule_search_locations is not None:
            spec.submodule_search_locations = list(real.submodule_search_locations)
        return spec


class AliasSpec(ModuleSpec):
    """The spec of an alias: it knows when the import it stands for is over."""

    module: ModuleType | None = None

    @property
    def _initializing(self) -> bool:
        return self.module is not None and self.module.__name__ == self.name

    @_initializing.setter
    def _initializing(self, value: bool) -> None:
        # The last thing that the import machinery of CPython does. A version that did not would
        # leave the name of the alias, by which the module can be found as well.
        if self.module is not None and not value:
            self.module.__name__ = f"r{self.name}"


class AliasLoader:
    """Loads `gunicorn.x` by importing `rgunicorn.x` and returning it.

    No `importlib.abc.Loader`, whose module takes longer to import than this whole package.

    Args:
        real: the spec of the module in `rgunicorn`.
    """

    def __init__(self, real: ModuleSpec) -> None:
        self._real = real

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        """The real module, imported if it is not yet; for `gunicorn` itself, its `TopLevel`."""
        module = import_module(self._real.name)
        if module is rgunicorn:
            return TopLevel()
        # The import machinery is about to put the alias's spec in its place.
        self._own_spec = module.__spec__
        self._alias = spec
        return module

    def exec_module(self, module: ModuleType) -> None:
        """Gives the module, which has long been executed, its own spec back.

        Its name is that of the alias until the import is over: loaders around this one, of
        newrelic and wrapt, ask the module itself which of their hooks it is for.
        """
        if isinstance(module, TopLevel):
            return
        module.__spec__ = self._own_spec
        if isinstance(self._alias, AliasSpec):
            module.__name__ = self._alias.name
            self._alias.module = module

    def is_package(self, fullname: str) -> bool:
        """Whether it has modules below it."""
        return self._real.submodule_search_locations is not None

    def get_source(self, fullname: str) -> str | None:
        """The text of the real module."""
        loader: Any = self._real.loader
        return loader.get_source(self._real.name)

    def get_code(self, fullname: str) -> CodeType | None:
        """The code of the real module."""
        loader: Any = self._real.loader
        return loader.get_code(self._real.name)
