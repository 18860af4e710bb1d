"""The command line's parser. It understands every abbreviation that Gunicorn's does, although there
are more flags here than there."""

from __future__ import annotations

import argparse

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any, NoReturn

_OWN_SECTION = "rgunicorn"
#: How alike a word and a flag must be: "worker" and "workers" are 0.92, "host" and "chdir" nothing.
_ALIKE = 0.8


class Parser(argparse.ArgumentParser):
    """argparse's parser, for which a flag of ours never makes an abbreviation ambiguous that means
    one flag in Gunicorn."""

    def parse_known_args(  # type: ignore[override]
        self, args: Sequence[str] | None = None, namespace: Any = None
    ) -> Any:
        """As argparse's, with abbreviations written out.

        Args:
            args: the words; those of the process when None.
            namespace: where the values go; a new one when None.

        Returns:
            The values, and the words that are no flags of this parser.
        """
        if args is None:
            import sys

            args = sys.argv[1:]
        return super().parse_known_args(self._written_out(args), namespace)

    def parse_args(  # type: ignore[override]
        self, args: Sequence[str] | None = None, namespace: Any = None
    ) -> Any:
        """As argparse's; words that are no flags are refused with the flags they are like.

        Args:
            args: the words; those of the process when None.
            namespace: where the values go; a new one when None.

        Returns:
            The values.
        """
        values, left = self.parse_known_args(args, namespace)
        if left:
            self._refuse(left)
        return values

    def _refuse(self, words: list[str]) -> NoReturn:
        message = f"unrecognized arguments: {' '.join(words)}"
        for word in words:
            name = word.partition("=")[0]
            meant = self._like(name) if name.startswith("--") else None
            if meant:
                message += f"\n{name}: perhaps {meant} is meant"
        self.error(message)

    def _like(self, name: str) -> str | None:
        gunicorns, ours = self._flags()
        # Written together, or with underscores as in a config file: --max_requests.
        plain = {flag.replace("-", ""): flag for flag in (*ours, *gunicorns)}
        asked = name.replace("-", "").replace("_", "").lower()
        if asked in plain:
            return plain[asked]

        import difflib

        close = difflib.get_close_matches(asked, plain, 1, _ALIKE)
        return plain[close[0]] if close else None

    def _written_out(self, args: Sequence[str]) -> list[str]:
        # They need no writing out where nothing is ambiguous; argparse does that.
        gunicorns, ours = self._flags()
        words = list(args)
        for index, word in enumerate(words):
            if word == "--":
                break
            name, equals, value = word.partition("=")
            if not name.startswith("--") or name in gunicorns or name in ours:
                continue
            meant = [flag for flag in gunicorns if flag.startswith(name)]
            if len(meant) == 1:
                words[index] = meant[0] + equals + value
        return words

    def _flags(self) -> tuple[list[str], list[str]]:
        gunicorns: list[str] = []
        ours: list[str] = []
        own = {
            id(action)
            for group in self._action_groups
            if group.title == _OWN_SECTION
            for action in group._group_actions
        }
        for action in self._actions:
            names = [name for name in action.option_strings if name.startswith("--")]
            (ours if id(action) in own else gunicorns).extend(names)
        return gunicorns, ours
