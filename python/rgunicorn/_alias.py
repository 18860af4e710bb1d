"""Makes `gunicorn.x` mean `rgunicorn.x` in a process that runs this server.

Config files, logger classes and workers import `gunicorn`; in our process they must get the very
objects that serve, also when the real Gunicorn is installed. Installed by `BaseApplication`, never
by importing this package.
"""

from __future__ import annotations

import os
import sys
from importlib import import_module
from importlib.machinery import BuiltinImporter, FrozenImporter, ModuleSpec, PathFinder
from importlib.util import find_spec

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import ModuleType

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


class AliasFinder:
    """Finds modules of `gunicorn` that `rgunicorn` has."""

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None = None,
        target: ModuleType | None = None,
    ) -> ModuleSpec | None:
        """The spec of an alias, or None for names that are not ours."""
        if fullname.partition(".")[0] != "gunicorn" or find_spec(f"r{fullname}") is None:
            return None
        return AliasSpec(fullname, AliasLoader())  # type: ignore[arg-type]


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
    """

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        """The real module, imported if it is not yet."""
        module = import_module(f"r{spec.name}")
        # The import machinery is about to put the alias's spec in its place.
        self.own_spec = module.__spec__
        self.alias = spec
        return module

    def exec_module(self, module: ModuleType) -> None:
        """Gives the module, which has long been executed, its own spec back.

        Its name is that of the alias until the import is over: loaders around this one, of
        newrelic and wrapt, ask the module itself which of their hooks it is for.
        """
        module.__spec__ = self.own_spec
        if isinstance(self.alias, AliasSpec):
            module.__name__ = self.alias.name
            self.alias.module = module
