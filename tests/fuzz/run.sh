#!/usr/bin/env bash
# Fuzzes each target for some seconds, on a stable toolchain, and writes what came of it into README.md.
#
#   tests/fuzz/run.sh [SECONDS [TARGET...]]      default: 600 s, all targets; JOBS=2 runs two at a time
#
# Inputs come from seeds/ and kept/; the new ones that reach new code go back to kept/, minimised.
set -eu
cd "$(dirname "$0")"

SECONDS_EACH=${1:-600}
shift $(($# > 0 ? 1 : 0))
command -v cargo-fuzz > /dev/null || { echo "cargo-fuzz is missing: cargo install cargo-fuzz" >&2; exit 1; }
mapfile -t all < <(cargo fuzz list --fuzz-dir .)
targets=("$@")
[ "$#" -gt 0 ] || targets=("${all[@]}")
for target in "${targets[@]}"; do
  [[ " ${all[*]} " == *" $target "* ]] || { echo "$target is no target; there are: ${all[*]}" >&2; exit 1; }
done
# What cargo-fuzz asks of a nightly compiler, the stable one can do when it is told to.
export RUSTC_BOOTSTRAP=1
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$PWD/target}
LOGS=$PWD/artifacts/logs
mkdir -p "$LOGS"

one() {
  local target=$1 run=corpus-run/$1 code=0
  mkdir -p "$run" "corpus-run/$target.small" "artifacts/$target"
  python3 book.py unpack "$target" "$run"
  cargo fuzz run --fuzz-dir . --sanitizer none "$target" "$run" "seeds/$target" -- \
    -max_total_time="$SECONDS_EACH" -print_final_stats=1 -max_len=4096 -timeout=10 -rss_limit_mb=1024 \
    > "$LOGS/$target.log" 2>&1 || code=$?
  find "corpus-run/$target.small" -type f -delete
  cargo fuzz run --fuzz-dir . --sanitizer none "$target" "corpus-run/$target.small" "$run" "seeds/$target" -- \
    -merge=1 -max_len=1024 > "$LOGS/$target.merge.log" 2>&1 || code=$?
  python3 book.py pack "$target" "corpus-run/$target.small"
  python3 book.py row "$target" "$LOGS/$target.log" "$SECONDS_EACH"
  [ "$code" = 0 ] || echo "$target: exit code $code, see $LOGS/$target.log" >&2
  return "$code"
}

cargo fuzz build --fuzz-dir . --sanitizer none
failed=0
for target in "${targets[@]}"; do
  while [ "$(jobs -rp | wc -l)" -ge "${JOBS:-1}" ]; do wait -n || failed=1; done
  one "$target" &
done
while [ "$(jobs -rp | wc -l)" -gt 0 ]; do wait -n || failed=1; done
exit "$failed"
