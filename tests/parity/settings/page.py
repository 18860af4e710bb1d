"""The table "Settings" of docs/compatibility.md, made of the cases.

    PYTHONPATH=tests python -m parity.settings.page

writes it between its markers. What a row claims is what `test_settings.py` checks.
"""

from __future__ import annotations

import sys
from pathlib import Path

from parity.settings.case import Case, Scene
from parity.settings.scenes import BEHAVIOUR, NAMES, REASONS
from parity.settings.values import NOT_IN_A_FILE

PAGE = Path(__file__).resolve().parents[3] / "docs/compatibility.md"
BEGIN = "<!-- settings: made by `make parity` -->"
END = "<!-- end of settings -->"

HEAD = """\
| setting | what is compared | result |
|---|---|---|
"""


def result(scene: Scene, case: Case) -> str:
    if scene.pending:
        return "not built yet, refused"
    words = f"differs: row `{case.difference}`" if case.difference else "equal"
    return f"{words}; {case.vacuous}" if case.vacuous else words


def table() -> str:
    reasons = {reason.setting: reason.why for reason in REASONS}
    rows = []
    for name in NAMES:
        cases = [
            (scene, case) for scene in BEHAVIOUR for case in scene.cases if case.setting == name
        ]
        rows += [(name, case.compared, result(scene, case)) for scene, case in cases]
        if not cases:
            compared = "nothing" if name in NOT_IN_A_FILE else "its value only"
            rows.append((name, compared, reasons[name]))
    return HEAD + "".join(
        f"| [`{name}`](settings.md#{name}) | {compared} | {found} |\n"
        for name, compared, found in rows
    )


def with_table(page: str) -> str:
    """The page with the table as the cases have it now."""
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    assert begin and end, f"docs/compatibility.md has lost its markers {BEGIN} and {END}"
    return f"{before}{BEGIN}\n\n{table()}\n{END}{after}"


def main() -> int:
    PAGE.write_text(with_table(PAGE.read_text()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
