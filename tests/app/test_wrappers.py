"""What applications are given besides their request: `wsgi.errors`, `wsgi.file_wrapper`."""

from __future__ import annotations

import io
import logging
from collections.abc import Iterator
from types import SimpleNamespace

import pytest

from rgunicorn.http.wrappers import FileWrapper, WSGIErrorsWrapper


@pytest.fixture
def error_log() -> Iterator[io.BytesIO]:
    """What reaches an error log whose encoding is ASCII."""
    octets = io.BytesIO()
    handler = logging.StreamHandler(io.TextIOWrapper(octets, "ascii"))
    logger = logging.getLogger("gunicorn.error")
    logger.addHandler(handler)
    yield octets
    logger.removeHandler(handler)


def test_errors_in_letters_that_the_log_does_not_have(error_log: io.BytesIO) -> None:
    errors = WSGIErrorsWrapper(SimpleNamespace(errorlog="/a.log"))
    assert errors.write("5 \u20ac\n") == 4
    errors.writelines(["one\n", "two\n"])
    assert error_log.getvalue() == b"5 \\u20ac\none\ntwo\n"


def test_a_file_as_a_sequence() -> None:
    wrapped = FileWrapper(io.BytesIO(b"abcde"), 2)
    # The protocol before iterators: from 0 up to an IndexError.
    assert [wrapped[0], wrapped[1], wrapped[2]] == [b"ab", b"cd", b"e"]
    with pytest.raises(IndexError):
        wrapped[3]


def test_a_file_without_close() -> None:
    wrapped = FileWrapper(SimpleNamespace(read=lambda size: b""))
    assert not hasattr(wrapped, "close")
    assert list(wrapped) == []
