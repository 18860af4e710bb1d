"""`Given`: the options by row, for those who look at several together."""

from __future__ import annotations

from collections.abc import Callable

from rgunicorn.uwsgi_import.draft import Draft, Fate
from rgunicorn.uwsgi_import.option import Option
from rgunicorn.uwsgi_import.values import Made, Off, Unfit

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


class Given:
    """What the file says, by the first name of a row."""

    def __init__(self, options: Mapping[str, Sequence[Option]], draft: Draft) -> None:
        self._options = options
        self._draft = draft

    def all(self, name: str) -> list[Option]:
        """All lines of a row, in their order; whoever asks deals with them."""
        return list(self._options.get(name, ()))

    def last(self, name: str) -> Option | None:
        """The line that counts; those it overrules are noted as such."""
        lines = self.all(name)
        if not lines:
            return None
        *overruled, last = lines
        self._draft.leave(overruled, Fate.UNNEEDED, f"{last.place} sets it again.")
        return last

    def on(self, name: str) -> Option | None:
        """The line of a flag that is on."""
        last = self.last(name)
        if last is None or last.is_on:
            return last
        self._draft.leave([last], Fate.UNNEEDED, "It is off, as it is here without the line.")
        return None

    def value(
        self, name: str, convert: Callable[[Option], Made]
    ) -> tuple[Option | None, Made | None]:
        """The line that counts with its value; no value if there is no use for it, which is
        noted."""
        last = self.last(name)
        made = None if last is None else converted(last, convert, self._draft)
        return (None, None) if made is None else (last, made)


def converted(option: Option, convert: Callable[[Option], Made], draft: Draft) -> Made | None:
    """A value by a converter; None if there is no use for it, which is noted."""
    try:
        return convert(option)
    except Off as exc:
        draft.leave([option], Fate.UNNEEDED, str(exc))
    except Unfit as exc:
        draft.leave([option], Fate.OPEN, f"Not carried over: {exc}.")
    return None
