"""What divan prints, read."""

from __future__ import annotations

import pytest
from loadbench.errors import BenchError
from loadbench.micro import Micro, parse

SAID = """\
Timer precision: 21 ns
access            fastest       │ slowest       │ median        │ mean          │ samples │ iters
├─ compile       840.9 ns       │ 15.51 µs      │ 882.4 ns      │ 1.082 µs      │ 100     │ 100
│               max alloc:      │               │               │               │         │
│                 9             │ 9             │ 9             │ 9             │         │
│                 2.447 KB      │ 2.447 KB      │ 2.447 KB      │ 2.447 KB      │         │
│               alloc:          │               │               │               │         │
│                 11            │ 11            │ 11            │ 11            │         │
│                 424 B         │ 424 B         │ 424 B         │ 424 B         │         │
│               grow:           │               │               │               │         │
│                 4             │ 4             │ 4             │ 4             │         │
│                 2.08 KB       │ 2.08 KB       │ 2.08 KB       │ 2.08 KB       │         │
│               shrink:         │               │               │               │         │
│                 7             │ 7             │ 7             │ 7             │         │
│                 57 B          │ 57 B          │ 57 B          │ 57 B          │         │
╰─ render                       │               │               │               │         │
   ├─ %(h)s "x"  484.4 ns       │ 532.6 ns      │ 495.1 ns      │ 497 ns        │ 100     │ 400
   ╰─ json       853.6 ns       │ 3.919 µs      │ 878.1 ns      │ 917.9 ns      │ 100     │ 100

head            fastest         │ slowest       │ median        │ mean          │ samples │ iters
╰─ whole                        │               │               │               │         │
   ├─ false                     │               │               │               │         │
   │  ╰─ form    281.2 ns       │ 297 ns        │ 286.9 ns      │ 287 ns        │ 100     │ 800
   │            4.474 TB/s      │ 920 GB/s      │ 4.442 TB/s    │ 4.208 TB/s    │         │
   ╰─ true                      │               │               │               │         │
      ╰─ form    1.5 ms         │ 2 s           │ 1.6 ms        │ 1.7 ms        │ 100     │ 800
"""


def test_leaves_with_their_path_times_and_allocations() -> None:
    assert parse(SAID, {"access"}) == [
        Micro("access", "compile", 840.9, 882.4, 15510.0, 15.0),
        Micro("access", 'render: %(h)s "x"', 484.4, 495.1, 532.6, 0.0),
        Micro("access", "render: json", 853.6, 878.1, 3919.0, 0.0),
        Micro("head", "whole: false: form", 281.2, 286.9, 297.0, None),
        Micro("head", "whole: true: form", 1.5e6, 1.6e6, 2e9, None),
    ]


def test_no_benchmark_is_an_error() -> None:
    with pytest.raises(BenchError, match="no benchmark"):
        parse("test result: ok\n", set())
