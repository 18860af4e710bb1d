"""`static_map`: which directory stands for which prefix, and what kinds of files there are."""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from rgunicorn.config import Config

# Python's table is the system's where there is /etc/mime.types, and has gaps where there is none,
# as in slim container images: what browsers refuse, or offer to download, under another type.
# RFC 9239 for JavaScript: the older name is what some tables still have.
_WEB = {
    "avif": "image/avif",
    "eot": "application/vnd.ms-fontobject",
    "gz": "application/gzip",
    "ico": "image/vnd.microsoft.icon",
    "js": "text/javascript",
    "json": "application/json",
    "map": "application/json",
    "md": "text/markdown",
    "mjs": "text/javascript",
    "mp4": "video/mp4",
    "otf": "font/otf",
    "svg": "image/svg+xml",
    "ttf": "font/ttf",
    "wasm": "application/wasm",
    "webm": "video/webm",
    "webmanifest": "application/manifest+json",
    "webp": "image/webp",
    "woff": "font/woff",
    "woff2": "font/woff2",
    "xz": "application/x-xz",
}


def split(entry: str) -> tuple[str, str]:
    """Prefix and directory of one `PREFIX=DIR`; the prefix without a slash at its end.

    Raises:
        ValueError: it is none; says what it should be.
    """
    prefix, mark, directory = entry.partition("=")
    allowed = "write PREFIX=DIR, such as /static=/srv/app/static"
    if not mark or not directory.strip():
        raise ValueError(f"static_map: {entry!r} names no directory; {allowed}")
    prefix = prefix.strip()
    if not prefix.startswith("/"):
        raise ValueError(f"static_map: {entry!r} has a prefix without a slash before it; {allowed}")
    parts = prefix.rstrip("/").split("/")[1:]
    if "" in parts or "." in parts or ".." in parts:
        raise ValueError(
            f"static_map: {entry!r} has a prefix that no path begins with: leave out '//', '/./' "
            "and '/../'"
        )
    return prefix.rstrip("/"), directory.strip()


def places(cfg: Config) -> list[tuple[str, str]]:
    """Prefixes with their directories, absolute: relative ones begin at `chdir`."""
    pairs = map(split, cfg.static_map)
    return [(prefix, os.path.join(cfg.chdir, directory)) for prefix, directory in pairs]


def media_types() -> dict[str, str]:
    """Content-Type by the end of a name (`css`), as Python's `mimetypes` has it from the system."""
    import mimetypes

    mimetypes.init()
    table = {end.lstrip(".").lower(): kind for end, kind in mimetypes.types_map.items()}
    table = {**_WEB, **table, "js": _WEB["js"], "mjs": _WEB["mjs"]}
    return {end: _with_charset(kind) for end, kind in table.items()}


def _with_charset(kind: str) -> str:
    is_text = kind.startswith("text/") or kind == "application/javascript"
    return f"{kind}; charset=utf-8" if is_text else kind
