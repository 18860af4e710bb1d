"""Makes run.json, the stored run of the tests, from the document of a small run.

    python benches/load/run.py --suite all --quick --output /tmp/small \\
        --scenarios keepalive browser close large --servers responder \\
        rgunicorn-sync-ka rgunicorn-gthread gunicorn-gthread
    python tests/benches/trim.py /tmp/small/load-DATE.json
"""

from __future__ import annotations

import json
import sys
from pathlib import Path


def main() -> None:
    document = json.loads(Path(sys.argv[1]).read_text())
    document["samples"] = []
    for count in document["syscalls"]:
        count["calls"] = {}
    text = json.dumps(document, indent=1, ensure_ascii=False)
    Path(__file__).with_name("run.json").write_text(text + "\n")


if __name__ == "__main__":
    main()
