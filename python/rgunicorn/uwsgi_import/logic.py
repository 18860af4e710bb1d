"""`for` and `if` in a configuration. Loops over words and questions about options are worked out;
what depends on the machine (`if-env`, `if-exists` ...) is left open, and its lines say so."""

from __future__ import annotations

from dataclasses import replace

from rgunicorn.uwsgi_import.option import Option, Unreadable

_END = ("end", "endfor", "endif", "end-for", "end-if")
_OF_THE_MACHINE = (
    *("if-env", "if-not-env", "ifenv", "if-reload", "if-not-reload"),
    *("if-hostname", "if-not-hostname", "if-hostname-match", "if-not-hostname-match"),
    *("if-exists", "if-not-exists", "ifexists", "if-plugin", "if-not-plugin", "ifplugin"),
    *("if-file", "if-not-file", "if-dir", "if-not-dir", "ifdir", "if-directory"),
    *("for-glob", "for-readline"),
)
_OF_OPTIONS = ("if-opt", "if-not-opt")
_LOOPS = ("for", "for-times")
NAMES = frozenset((*_END, *_OF_THE_MACHINE, *_OF_OPTIONS, *_LOOPS, "else"))

# As in uWSGI's own example files; a loop over more is a mistake.
_MOST_TURNS = 1000


class Logic:
    """Takes options one after the other and gives those that count."""

    def __init__(self) -> None:
        self._block: Option | None = None
        # The block is the other branch of a condition.
        self._is_else = False
        self._seen: list[Option] = []

    def take(self, option: Option) -> list[Option]:
        """What uWSGI makes of the next option: nothing, itself, or several.

        Raises:
            Unreadable: a loop of too many turns, or a block in a block.
        """
        if option.name in _END:
            self._block, self._is_else = None, False
        elif option.name == "else":
            self._is_else = self._block is not None
        elif option.name in NAMES:
            if self._block is not None and not self._is_skipped():
                raise Unreadable(
                    f"{option.place}: {option.written!r} is inside of the block of "
                    f"{self._block.place}, which uWSGI refuses"
                )
            if self._block is None:
                self._block = option
        else:
            given = [option] if self._block is None else self._in_block(option, self._block)
            self._seen += given
            return given
        return []

    def _in_block(self, option: Option, block: Option) -> list[Option]:
        if block.name in _LOOPS:
            return [_with(option, turn) for turn in _turns(block)]
        if self._is_else:
            # Version 2.0 takes `else` for a placeholder, and goes on with the block.
            condition = f"the else of {block.written!r} ({block.place}), which uWSGI 2.0 ignores"
            return [replace(option, condition=condition)]
        if block.name in _OF_OPTIONS:
            holds, value = self._asked(block)
            return [_with(option, value)] if holds else []
        return [replace(option, condition=f"{block.written!r} ({block.place})")]

    def _is_skipped(self) -> bool:
        """Whether nothing in the block counts."""
        block = self._block
        return block is not None and block.name in _OF_OPTIONS and not self._asked(block)[0]

    def _asked(self, block: Option) -> tuple[bool, str]:
        """Whether the question of a block is answered by yes, and the value of its option."""
        name, equals, wanted = block.text.partition("=")
        value = next((seen.text for seen in self._seen if seen.name == name), None)
        there = value is not None and (not equals or value == wanted)
        return there is (block.name == "if-opt"), value or ""


def _turns(block: Option) -> list[str]:
    turns = [word for word in block.text.split(" ") if word]
    if block.name == "for-times":
        digits = block.text.strip()
        number = int(digits) if digits.isdecimal() and len(digits) < 6 else 0
        turns = [str(turn) for turn in range(1, min(number, _MOST_TURNS + 1) + 1)]
    if len(turns) > _MOST_TURNS:
        raise Unreadable(f"{block.place}: {block.name} has more than {_MOST_TURNS} turns")
    return turns


def _with(option: Option, value: str) -> Option:
    if option.value is None:
        return option
    return replace(option, value=option.value.replace("%(_)", value))
