"""What mkdocs is told beside mkdocs.yml: pages from outside docs/, and where links lead.

The pages are read on GitHub too, so their links are relative and may lead to any file of the
repository. On the site a link leads to the page made of that file; if there is none, to the file
in the repository, as far as `repo_url` says where that is, and otherwise it becomes its text.
"""

from __future__ import annotations

import posixpath
import re
from pathlib import Path
from typing import TYPE_CHECKING

from mkdocs.structure.files import File

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files
    from mkdocs.structure.pages import Page

ROOT = Path(__file__).resolve().parent.parent
# Pages from outside docs/, under the paths that they have in the repository.
OUTSIDE = [
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "SECURITY.md",
    "benches/README.md",
    "examples/README.md",
    "tests/README.md",
]

# Code first: what looks like a link in it is none.
_CODE_OR_LINK = re.compile(
    r"(?P<code>^(?P<fence>```+|~~~+).*?^(?P=fence)[ \t]*$|(?P<tick>`+)(?!`).*?(?<!`)(?P=tick)(?!`))"
    r"|(?P<image>!?)\[(?P<text>(?:`[^`]*`|[^\[\]`])*)\]\((?P<target>[^()\s]+)\)",
    re.DOTALL | re.MULTILINE,
)


def on_config(config: MkDocsConfig) -> None:
    """Lists the pages that an entry such as `design/*.md` of the navigation stands for."""
    config.nav = _spread(config.nav, Path(config.docs_dir))


def on_files(files: Files, config: MkDocsConfig) -> None:
    """Adds the pages from outside docs/."""
    for path in OUTSIDE:
        files.append(File.generated(config, path, abs_src_path=str(ROOT / path)))


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Leads links of a page to pages of the site, to the repository, or nowhere."""
    uri = page.file.src_uri
    own = uri if uri in OUTSIDE else f"docs/{uri}"

    def led(match: re.Match[str]) -> str:
        if match["code"]:
            return match[0]
        path, mark, anchor = match["target"].partition("#")
        if not path or re.match(r"[a-z]+:", path):
            return match[0]
        target = posixpath.normpath(posixpath.join(posixpath.dirname(own), path))
        there = target if target in OUTSIDE else target.removeprefix("docs/")
        is_ours = target in OUTSIDE or target.startswith("docs/")
        if is_ours and files.get_file_from_path(there):
            way = posixpath.relpath(there, posixpath.dirname(uri) or ".")
            return f"{match['image']}[{match['text']}]({way}{mark}{anchor})"
        if not (ROOT / target).exists():
            # For mkdocs to complain about.
            return match[0]
        if config.repo_url:
            kind = "tree" if (ROOT / target).is_dir() else "blob"
            url = f"{config.repo_url.rstrip('/')}/{kind}/main/{target}{mark}{anchor}"
            return f"{match['image']}[{match['text']}]({url})"
        return match["text"]

    return _CODE_OR_LINK.sub(led, markdown)


def _spread(entry: object, docs: Path) -> object:
    """An entry of the navigation with its patterns replaced by the pages that match them."""
    if isinstance(entry, dict):
        return {title: _spread(below, docs) for title, below in entry.items()}
    if not isinstance(entry, list):
        return entry
    spread: list[object] = []
    for below in entry:
        if isinstance(below, str) and "*" in below:
            spread += sorted(path.relative_to(docs).as_posix() for path in docs.glob(below))
        else:
            spread.append(_spread(below, docs))
    return spread
