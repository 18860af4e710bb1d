"""How names of certificates are written (RFC 4514)."""

from __future__ import annotations

import pytest

from rgunicorn.tls import distinguished_name


def of(*values: str) -> str:
    return distinguished_name(tuple((("commonName", value),) for value in values))


@pytest.mark.parametrize(
    ("value", "written"),
    [
        ("plain", "plain"),
        ('a,b+c"d\\e<f>g;h', 'a\\,b\\+c\\"d\\\\e\\<f\\>g\\;h'),
        (" both ", "\\ both\\ "),
        (" ", "\\ "),
        ("  ", "\\ \\ "),
        ("#1", "\\#1"),
        ("nul\0", "nul\\00"),
        ("a=b", "a=b"),
        ("line\r\nfield: 1", "line\\0D\\0Afield: 1"),
    ],
)
def test_values(value: str, written: str) -> None:
    assert of(value) == f"CN={written}"


def test_the_order_and_the_names_of_attributes() -> None:
    name = (
        (("countryName", "DE"),),
        (("organizationName", "Größe"),),
        (("commonName", "a"), ("emailAddress", "a@b")),
    )
    written = distinguished_name(name)
    assert written.encode("latin-1").decode() == "CN=a+emailAddress=a@b,O=Größe,C=DE"
    assert distinguished_name(()) == ""
