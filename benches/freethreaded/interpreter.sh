#!/usr/bin/env bash
# Builds CPython from Debian's source package, free-threaded or with the GIL, for the tests and
# figures of docs/design/free-threading.md. Debian's own packages have no free-threaded build.
#
#   interpreter.sh                free-threaded
#   interpreter.sh --gil          the same source and flags with the GIL, to compare with
#
# The last line of stdout is the interpreter; everything else goes to stderr. Done once: a finished
# interpreter is found again. Kept outside of the checkout; safe to delete.
#
#   RGUNICORN_CACHE   directory of the interpreters              (root: /var/cache/rgunicorn, else
#                                                                 ~/.cache/rgunicorn)
#   DEBIAN_SUITE      where the source package is looked up      (sid)
#   PYTHON_PACKAGE    its name                                   (python3.14)
#   JOBS              for make                                   (2)
#   OPTIMIZE=1        profile-guided and with LTO: an hour instead of minutes
set -euo pipefail

suite=${DEBIAN_SUITE:-sid}
package=${PYTHON_PACKAGE:-python3.14}
# Tests start workers as another user, who must be able to read it: not so below /root.
cache=$HOME/.cache/rgunicorn
[ "$(id -u)" != 0 ] || cache=/var/cache/rgunicorn
cache=${RGUNICORN_CACHE:-$cache}
jobs=${JOBS:-2}
keyring=/usr/share/keyrings/debian-archive-keyring.gpg
build_dependencies=(build-essential pkg-config libbz2-dev libffi-dev liblzma-dev libsqlite3-dev libssl-dev zlib1g-dev)

say() { echo "interpreter.sh: $*" >&2; }
die() { say "$@"; exit 1; }

flags=(--disable-gil)
kind=freethreaded
case "${1:-}" in
  "") ;;
  --gil) flags=(); kind=gil ;;
  *) die "unknown argument $1; there is only --gil" ;;
esac
if [ "${OPTIMIZE:-}" = 1 ]; then
  flags+=(--enable-optimizations --with-lto)
  kind=$kind-optimized
fi

prefix=$cache/$package-$kind
python=$prefix/bin/python3
if [ -x "$python" ]; then
  echo "$python"
  exit
fi

command -v apt-get > /dev/null || die "this needs Debian's apt-get. Elsewhere, say which free-threaded CPython 3.14 to use: make ... FREETHREADED=/path/to/python3.14t"
[ -r "$keyring" ] || die "$keyring is missing: install debian-archive-keyring"

missing=()
for dependency in "${build_dependencies[@]}"; do
  dpkg -s "$dependency" 2> /dev/null | grep -q '^Status: install ok installed' || missing+=("$dependency")
done
if [ "${#missing[@]}" -gt 0 ]; then
  [ "$(id -u)" = 0 ] || die "not root, so install these first: apt-get install --no-install-recommends ${missing[*]}"
  say "installing ${missing[*]}"
  apt-get -qq update >&2
  DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends "${missing[@]}" >&2
fi

# What is half done lies here, so that the prefix is there only when all of it is.
work=$cache/work-$package-$kind
rm -rf "$work"
mkdir -p "$work"/{apt/lists/partial,apt/archives/partial,apt/parts,source,tree,root}
trap 'rm -rf "$work"' EXIT

# Lists of our own: the machine's apt goes on not knowing about $suite. apt checks the signature of
# the list and the checksum of each file.
printf 'Types: deb-src\nURIs: http://deb.debian.org/debian\nSuites: %s\nComponents: main\nSigned-By: %s\n' \
  "$suite" "$keyring" > "$work/apt/parts/source.sources"
own_apt() {
  apt-get -qq -o Dir::Etc::sourcelist=/dev/null -o "Dir::Etc::sourceparts=$work/apt/parts" \
    -o "Dir::State::lists=$work/apt/lists" -o "Dir::Cache=$work/apt" -o APT::Sandbox::User=root \
    -o APT::Update::Error-Mode=any "$@"
}
say "looking up the source of $package in Debian $suite"
own_apt update >&2 || die "Debian's list of $suite can not be had: is this machine online?"
# A mirror may lack what its list names and still have the version before. This one was signed by
# Debian's maintainer (dscverify, 2026-11-21); apt-helper compares the checksum.
known() {
  [ "$package" = python3.14 ] || return 1
  say "the mirror lacks what its list names; taking python3.14 3.14.7-1 instead"
  /usr/lib/apt/apt-helper -o APT::Sandbox::User=root download-file \
    http://deb.debian.org/debian/pool/main/p/python3.14/python3.14_3.14.7.orig.tar.xz \
    "$work/source/python3.14_3.14.7.orig.tar.xz" \
    SHA256:3b48dac8fb59f62eaa67ac83c1eb12bda1b7a08406dd286e252c11a66be27f81 >&2
}
(cd "$work/source" && own_apt source --download-only --only-source "$package" >&2) || known \
  || die "Debian's mirror does not give the source of $package in $suite (see above). DEBIAN_SUITE and PYTHON_PACKAGE say what to take instead; or name an interpreter you have: make ... FREETHREADED=/path/to/python3.14t"

# As its authors made it: Debian's patches move modules to where Debian's packages expect them.
tarballs=("$work"/source/*.orig.tar.*[!c])
[ -e "${tarballs[0]}" ] || die "the source package has no .orig.tar: $(ls "$work/source")"
tar -xf "${tarballs[0]}" -C "$work/tree" --strip-components=1

log=$cache/build-$package-$kind.log
started=$SECONDS
progress() {
  while sleep 20; do
    say "compiling: $(find "$work/tree" -name '*.o' | wc -l) files, $((SECONDS - started)) s"
  done
}
say "building ${tarballs[0]##*/} ${flags[*]:-with the GIL}; output in $log"
progress & ticker=$!
trap 'kill "$ticker" 2> /dev/null || true; rm -rf "$work"' EXIT
(
  cd "$work/tree"
  ./configure --prefix="$prefix" --disable-test-modules --without-static-libpython "${flags[@]}"
  make -j"$jobs"
  make install DESTDIR="$work/root"
) > "$log" 2>&1 || { tail -n 30 "$log" >&2; die "the build failed; all of it is in $log"; }
mv "$work/root$prefix" "$prefix"
say "built in $((SECONDS - started)) s: $("$python" -VV)"
echo "$python"
