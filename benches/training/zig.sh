#!/usr/bin/env bash
# zig as a linker for instrumented builds (`make wheel ZIG=1 PGO=1`): zig 0.17 takes the argument of `-u SYMBOL`, which
# rustc says there, for a file. `-uSYMBOL` means the same to both. Of `python3 -m ziglang`, the first on PATH.
set -eu
arguments=()
while [ $# -gt 0 ]; do
  if [ "$1" = -u ] && [ $# -gt 1 ]; then
    arguments+=("-u$2")
    shift
  else
    arguments+=("$1")
  fi
  shift
done
exec python3 -m ziglang "${arguments[@]}"
