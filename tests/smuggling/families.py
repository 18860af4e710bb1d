"""All payloads. Each row of `framing.py` and `syntax.py` is one."""

from __future__ import annotations

from . import framing, syntax

CASES = [
    *framing.CL_TE,
    *framing.TE_CL,
    *framing.TE_TE,
    *framing.EXTENSIONS,
    *framing.SIZES,
    *framing.LENGTHS,
    *framing.TRAILERS,
    *syntax.OBS_FOLD,
    *syntax.LINE_ENDS,
    *syntax.CONTROLS,
    *syntax.TWICE,
    *syntax.NAMES,
    *syntax.TARGETS,
    *syntax.BODIES,
    *syntax.PIPELINED,
]
