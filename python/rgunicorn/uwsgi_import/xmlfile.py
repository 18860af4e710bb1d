"""uWSGI's XML: `<uwsgi><socket>:3031</socket><master/></uwsgi>`, or several such in a root.

Read by expat without a tree. A document type is refused, and with it every entity that a file could
declare: nothing is fetched and nothing can grow.
"""

from __future__ import annotations

from xml.parsers import expat

from rgunicorn.uwsgi_import.option import Option, Place, Unreadable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

_DOCTYPE = (
    "it has a document type (<!DOCTYPE ...>), which is not read: it may fetch or multiply text. "
    "Remove it; uWSGI's configuration needs none."
)


def read(text: bytes, file: str, identifier: str | None) -> list[Option]:
    """The options of the first `<uwsgi>` element that fits.

    Args:
        text: of the whole file.
        file: its name in messages.
        identifier: elements with another `id` are skipped; None takes them all.

    Raises:
        Unreadable: no XML, a document type, or no such element.
    """
    return _Reader(file, identifier).read(text)


class _Reader:
    def __init__(self, file: str, identifier: str | None) -> None:
        self._file = file
        self._identifier = identifier
        self._options: list[Option] = []
        # How many elements are open, and at which of them the chosen <uwsgi> was found.
        self._depth = 0
        self._root: int | None = None
        self._done = False
        # The option that is open: name, line, and its text so far.
        self._name: str | None = None
        self._line = 0
        self._text: list[str] = []
        self._mount: str | None = None
        self._parser = expat.ParserCreate()

    def read(self, text: bytes) -> list[Option]:
        parser = self._parser
        parser.buffer_text = True
        parser.StartDoctypeDeclHandler = self._refuse
        parser.StartElementHandler = self._start
        parser.CharacterDataHandler = self._data
        parser.EndElementHandler = self._end
        try:
            parser.Parse(text, True)
        except expat.ExpatError as exc:
            raise Unreadable(f"{self._file}:{exc.lineno}: {expat.ErrorString(exc.code)}") from None
        except (ValueError, LookupError) as exc:
            # An encoding that Python does not know.
            raise Unreadable(f"{self._file}: {exc}") from None
        if self._root is None:
            wanted = f' with id="{self._identifier}"' if self._identifier else ""
            raise Unreadable(f"{self._file}: there is no element <uwsgi>{wanted}")
        return self._options

    def _refuse(self, *_declaration: object) -> None:
        raise Unreadable(f"{self._file}:{self._parser.CurrentLineNumber}: {_DOCTYPE}")

    def _start(self, name: str, attributes: Mapping[str, str]) -> None:
        self._depth += 1
        fits = self._identifier is None or attributes.get("id") in (None, self._identifier)
        if self._root is None:
            if name == "uwsgi" and self._depth <= 2 and fits:
                self._root = self._depth
        elif not self._done and self._depth == self._root + 1 and fits:
            self._name, self._text = name, []
            self._line = self._parser.CurrentLineNumber
            self._mount = attributes.get("mountpoint")

    def _data(self, data: str) -> None:
        if self._name is not None:
            self._text.append(data)

    def _end(self, _name: str) -> None:
        if self._root is not None and not self._done:
            if self._depth == self._root:
                self._done = True
            elif self._depth == self._root + 1 and self._name is not None:
                self._add(self._name, "".join(self._text).strip())
                self._name = None
        self._depth -= 1

    def _add(self, name: str, text: str) -> None:
        written = f"<{name}>{text}</{name}>" if text else f"<{name}/>"
        if name == "app":
            # An old form of the option `mount`.
            name, text = "mount", f"{self._mount or ''}={text}"
        place = Place(self._file, self._line)
        self._options.append(Option(name, text or None, place, written))
