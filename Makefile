# Everything this project does for itself. `make serve` and `make test` need cargo and Python >= 3.10;
# what else they need they install into .venv and .venv-gunicorn.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DELETE_ON_ERROR:

PYTHON ?= python3
PORT ?= 8000
ARGS ?=
# Processes of pytest-xdist for the whole suite, which mostly waits; each file stays in one process.
JOBS ?= 3
# Interpreters without and with the GIL; built from Debian's source when not given.
FREETHREADED ?=
GIL ?=

VENV := $(CURDIR)/.venv
GUNICORN := $(CURDIR)/.venv-gunicorn
THIRDPARTY := $(CURDIR)/.venv-thirdparty
DOCS := $(CURDIR)/.venv-docs
AUDIT := $(CURDIR)/.venv-audit
WITHOUT_GIL := $(CURDIR)/.venv-without-gil
WITH_GIL := $(CURDIR)/.venv-with-gil
INTERPRETER := benches/freethreaded/interpreter.sh
PIP := -m pip --disable-pip-version-check -q install
# The responder and the client of the load harness: a crate of its own.
BENCH_TOOLS := benches/load/responder/Cargo.toml
PYTHON_SOURCES := python tests examples benches deploy docs/hooks.py docs/pictures.py docs/observability/shots.py

# The package as it would be installed: rebuilt when one of these changes.
SOURCES := Cargo.toml Cargo.lock pyproject.toml LICENSE $(shell find src python -name '*.rs' -o -name '*.py' -o -name '*.pyi' -o -name py.typed)

# ZIG=1: wheels for glibc 2.28 and newer, linked by zig (450 MB from PyPI); else for the glibc of this machine. The oldest
# that there could be is 2.27, which has memfd_create(2).
ZIG ?=
# PGO=1: the compiler knows from a run of benches/training which code is hot (rustup component add llvm-tools). Twice the time.
PGO ?=
LINKER := $(CURDIR)/.venv-zig
BUILT := dist/.built$(if $(ZIG),-zig)$(if $(PGO),-pgo)
# With a profile, what each request passes is to be one piece, or of what a compiler that thinks of size leaves apart the calls
# cost what the profile saves: 3,000, where LLVM stops, is less than the engine has, and which call it leaves out is chance.
INLINE := RUSTFLAGS="-Cllvm-args=-hot-callsite-threshold=12000 $${RUSTFLAGS:-}"
MATURIN = $(if $(PGO),$(INLINE) )PATH="$(if $(ZIG),$(LINKER)/bin:)$$PATH" $(if $(ZIG),CARGO_ZIGBUILD_ZIG_COMMAND=$(CURDIR)/benches/training/zig.sh )$(VENV)/bin/maturin build --release --locked --out dist $(if $(ZIG),--zig --compatibility manylinux_2_28) $(if $(PGO),--pgo)

# Rust tests of the Python floor are programs that embed libpython, which may lie where the loader
# does not look (pyenv, uv). Not by -rpath in RUSTFLAGS: other flags would build every crate anew.
LIBDIR = $(shell $(VENV)/bin/python -c "import sysconfig; print(sysconfig.get_config_var('LIBDIR') or '')")
EMBEDDED = PYO3_PYTHON=$(VENV)/bin/python LD_LIBRARY_PATH=$(LIBDIR)$${LD_LIBRARY_PATH:+:$$LD_LIBRARY_PATH}

.PHONY: help serve test wheel wheels-smoke soak audit loom coverage miri sanitize parity test-rust test-python test-freethreaded lint bench bench-page instructions bench-freethreaded fmt docs site check check-libpython tools clean

help:
	@echo "make serve   build, then run the Django example on 127.0.0.1:$(PORT) (PORT=...)"
	@echo "make test    formatting, lints, Rust tests, the whole pytest suite (ARGS=... for pytest)"
	@echo "make wheel   sdist, and the wheel built of it, into dist/ (ZIG=1: for glibc 2.28 and newer; PGO=1: with a profile, as released)"
	@echo "make wheels-smoke   that wheel on every CPython that is here, and one for CPython without the GIL"
	@echo "make loom    models of what threads decide by atomics, in every order"
	@echo "make soak    chaos for ten minutes: faults, floods, kills, and what must hold afterwards (SECONDS=600 KIND=gthread ARGS='--seed 7')"
	@echo "make audit   licences, sources and known holes of what we depend on (cargo-deny, if it is there; pip-audit)"
	@echo "make coverage  what the tests run, into docs/coverage.md (needs nightly and cargo-llvm-cov; an hour)"
	@echo "make miri, make sanitize (SANITIZER=thread)  unit tests under what nightly has to find undefined behaviour"
	@echo "make parity  every setting on real Gunicorn and here, and the table in docs/compatibility.md"
	@echo "make bench   every benchmark, half an hour, into docs/performance.md (ARGS=... for run.py)"
	@echo "make bench-page   docs/performance.md from a document of a run (DOCUMENT=..., else the newest)"
	@echo "make instructions   count instructions of the hot path under valgrind, write benches/instructions.json"
	@echo "make test-freethreaded   test suites on CPython without the GIL (FREETHREADED=/path/to/python3.14t)"
	@echo "make bench-freethreaded  two threads on two cores, without and with the GIL (and GIL=/path/to/python3.14)"
	@echo "make fmt     format everything"
	@echo "make docs    write docs/settings.md from the declarations, and the pictures of docs/architecture.md"
	@echo "make site    build the documentation site into site/, strictly: a dead link is an error (ARGS=... for mkdocs)"
	@echo "make clean   remove what the targets above made"

serve: $(VENV)/.rgunicorn $(VENV)/.examples
	@cd examples/django && $(VENV)/bin/python manage.py prepare
	@echo "Four workers on http://127.0.0.1:$(PORT)/ (admin: admin/admin); Ctrl-C stops them."
	@cd examples/django && exec $(VENV)/bin/rgunicorn --bind 127.0.0.1:$(PORT)

# One recipe after the other, also under make -j: pytest's summary is the end of the output.
test: check
	@$(MAKE) --no-print-directory tools
	@$(MAKE) --no-print-directory lint
	@$(MAKE) --no-print-directory test-rust
	@$(MAKE) --no-print-directory test-python

lint: $(VENV)/.tests check-libpython
	cargo fmt --check
	$(EMBEDDED) cargo clippy --quiet --all-targets -- -D warnings
	cargo clippy --quiet --all-targets --no-default-features -- -D warnings
	cargo fmt --check --manifest-path $(BENCH_TOOLS)
	cargo clippy --quiet --locked --manifest-path $(BENCH_TOOLS) --target-dir target/bench-tools -- -D warnings
	$(VENV)/bin/ruff check $(wildcard $(PYTHON_SOURCES))
	$(VENV)/bin/ruff format --check $(wildcard $(PYTHON_SOURCES))
	$(VENV)/bin/mypy

# Every setting on real Gunicorn and on rgunicorn, and, when all is as the cases say, the table of it
# in docs/compatibility.md.
parity: $(VENV)/.rgunicorn $(VENV)/.tests $(GUNICORN)/.installed $(THIRDPARTY)/.installed $(THIRDPARTY)/.rgunicorn
	RGUNICORN_PARITY_PYTHON=$(GUNICORN)/bin/python RGUNICORN_THIRDPARTY_PYTHON=$(THIRDPARTY)/bin/python \
	  $(VENV)/bin/python -m pytest tests/parity/settings $(ARGS) \
	  --deselect tests/parity/settings/test_settings.py::test_the_page_says_what_the_cases_say
	PYTHONPATH=tests $(VENV)/bin/python -m parity.settings.page

test-rust: $(VENV)/.tests check-libpython
	cargo test --quiet --no-default-features
	$(EMBEDDED) cargo test --quiet
	@$(MAKE) --no-print-directory loom

test-python: $(VENV)/.rgunicorn $(VENV)/.tests $(GUNICORN)/.installed $(THIRDPARTY)/.installed $(THIRDPARTY)/.rgunicorn
	RGUNICORN_PARITY_PYTHON=$(GUNICORN)/bin/python RGUNICORN_THIRDPARTY_PYTHON=$(THIRDPARTY)/bin/python \
	  RGUNICORN_DIST=$(CURDIR)/dist $(VENV)/bin/python -m pytest $(or $(ARGS),-n $(JOBS) --dist loadfile)

wheel: $(BUILT)

# By hand, for the wheel without the GIL; `make test` does the rest of it.
wheels-smoke: $(VENV)/.rgunicorn $(VENV)/.tests dist/.built-without-gil
	RGUNICORN_DIST=$(CURDIR)/dist RGUNICORN_WITHOUT_GIL=$(WITHOUT_GIL)/bin/python \
	  $(VENV)/bin/python -m pytest tests/packaging $(ARGS)

# By hand; CI runs some seconds of it (tests/chaos/test_soak.py). KIND: sync, sync_keepalive or gthread.
SECONDS = 600
KIND = gthread
soak: $(VENV)/.rgunicorn $(VENV)/.tests
	cd tests && PYTHONPATH=. $(VENV)/bin/python -m chaos.soak --seconds $(SECONDS) --kind $(KIND) $(ARGS)

# Every order of what threads decide by atomics: seconds, and a part of test-rust.
loom:
	cargo test --quiet --manifest-path tests/loom/Cargo.toml --target-dir target/loom

# Part of `make test`; where a database of known holes is out of reach it says so, and goes on. What is found is an error.
# `AUDIT_STRICT=1 make audit`: what can not be looked up is one, too.
audit: check
	$(PYTHON) tests/audit.py $(AUDIT)

# How much of the code the tests run, into docs/coverage.md. ARGS="--only rust", or arguments for pytest.
coverage: $(VENV)/.rgunicorn $(VENV)/.tests $(GUNICORN)/.installed $(THIRDPARTY)/.installed $(THIRDPARTY)/.rgunicorn
	for python in $(VENV) $(THIRDPARTY); do $$python/bin/python $(PIP) -r tests/requirements-coverage.txt; done
	RGUNICORN_PARITY_PYTHON=$(GUNICORN)/bin/python RGUNICORN_THIRDPARTY_PYTHON=$(THIRDPARTY)/bin/python \
	  PYTHONPATH=tests $(VENV)/bin/python -m covered.run $(ARGS)

# What an interpreter of Rust, and what instrumented memory, see in the tests: docs/security.md. They need rustup's nightly with the
# components miri and rust-src; not in CI, which has Rust as it comes. Miri is several hundred times slower than the machine and knows no sockets, no
# memory of several processes (cfg!(miri): a private one) and no poll(2): what needs them is left out, and the fleet, whose tests live through hours of a server and have no `unsafe` below them.
miri:
	MIRIFLAGS=-Zmiri-disable-isolation PROPTEST_CASES=4 cargo +nightly miri test --no-default-features --lib \
	  --target-dir target/miri -- $(or $(ARGS),sys::clock sys::tally sys::turn sys::owed sys::work sys::ticket sys::slate sys::flights log:: http::)

SANITIZER ?= address
# ThreadSanitizer runs signal handlers late, and not in a process that clone(2) has made: these two are about nothing else.
SKIPPED_thread = --skip what_the_handler_writes_is_there_at_once --skip what_happens_there_stays_there
sanitize:
	RUSTFLAGS=-Zsanitizer=$(SANITIZER) cargo +nightly test -Zbuild-std --target x86_64-unknown-linux-gnu --no-default-features --lib \
	  --test engine --test transport_properties --no-fail-fast --target-dir target/$(SANITIZER) $(ARGS) -- $(SKIPPED_$(SANITIZER))

# By hand, not in CI: docs/design/free-threading.md.
test-freethreaded: $(WITHOUT_GIL)/.rgunicorn $(WITHOUT_GIL)/.tests $(GUNICORN)/.installed
	RGUNICORN_PARITY_PYTHON=$(GUNICORN)/bin/python $(WITHOUT_GIL)/bin/python -m pytest \
	  $(or $(ARGS),tests/wire tests/workers tests/dispatch tests/reload)

bench-freethreaded: $(WITHOUT_GIL)/.rgunicorn $(WITHOUT_GIL)/.tests $(WITH_GIL)/.rgunicorn $(WITH_GIL)/.tests
	$(PYTHON) benches/freethreaded/run.py --free $(WITHOUT_GIL)/bin/python --gil $(WITH_GIL)/bin/python $(ARGS)

# Rust benchmarks first, then servers side by side; the harness builds all that it measures, this tree
# too. Tables and charts go into docs/performance.md and README.md unless ARGS has --quick.
bench: | $(VENV)/bin/python
	$(VENV)/bin/python benches/load/run.py --page docs/performance.md --readme README.md $(or $(ARGS),--suite all --trained)

# The pages from a document that is there, by default the newest.
DOCUMENT ?= $(lastword $(sort $(wildcard benches/load/.bench/results/load-*.json)))
bench-page: | $(VENV)/bin/python
	@[ -n "$(DOCUMENT)" ] || { echo "no document of a run: say DOCUMENT=..., or run make bench" >&2; exit 1; }
	$(VENV)/bin/python benches/load/page.py $(DOCUMENT) docs/performance.md README.md

# What tests/instructions compares with: counts, not timings. Needs valgrind.
instructions: $(VENV)/.rgunicorn $(VENV)/.tests
	PYTHONPATH=tests $(VENV)/bin/python -m instructions.write

fmt: $(VENV)/.tests
	cargo fmt
	$(VENV)/bin/ruff check --fix $(wildcard $(PYTHON_SOURCES))
	$(VENV)/bin/ruff format $(wildcard $(PYTHON_SOURCES))

docs: $(VENV)/.rgunicorn
	$(VENV)/bin/python -m rgunicorn.settings.page docs/settings.md
	$(VENV)/bin/python docs/pictures.py docs/img

# `$(DOCS)/bin/mkdocs serve` shows the pages as they are written.
site: $(DOCS)/.installed
	NO_MKDOCS_2_WARNING=1 $(DOCS)/bin/mkdocs build --strict $(ARGS)

clean:
	rm -rf site $(VENV) $(DOCS) $(AUDIT) $(GUNICORN) $(THIRDPARTY) $(WITHOUT_GIL) $(WITH_GIL) $(LINKER) dist target examples/django/data

check:
	@command -v cargo > /dev/null || { echo "cargo is missing: install Rust 1.85 or newer, https://rustup.rs" >&2; exit 1; }
	@command -v cc > /dev/null || { echo "cc is missing, which Rust links with: install gcc (Debian: build-essential)" >&2; exit 1; }
	@command -v $(PYTHON) > /dev/null || { echo "$(PYTHON) is missing: install Python 3.10 or newer, or say make PYTHON=..." >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' || { echo "$$($(PYTHON) --version 2>&1) is too old: Python 3.10 or newer is needed, say make PYTHON=..." >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2> /dev/null || { echo "$(PYTHON) cannot make virtual environments: install its venv module (Debian: python3-venv)" >&2; exit 1; }

check-libpython: $(VENV)/.tests
	@$(VENV)/bin/python -c 'import os, sys, sysconfig as s; v = s.get_config_var; sys.exit(not any(os.path.exists(os.path.join(v(d) or "", v("LDLIBRARY"))) for d in ("LIBDIR", "LIBPL")))' || { echo "libpython to link the Rust tests with is missing: install Python's development files (Debian: python3-dev)" >&2; exit 1; }

# On a CI machine the programs some tests need are installed; anywhere else those tests are skipped
# and say why.
tools:
	@if [ "$${CI:-}" = true ] && [ "$$(id -u)" = 0 ] && command -v apt-get > /dev/null; then \
	  missing=; \
	  for tool in nginx curl jq wrk strace openssl haproxy prometheus; do \
	    PATH="$$PATH:/usr/sbin" command -v $$tool > /dev/null || missing="$$missing $$tool"; \
	  done; \
	  command -v ip > /dev/null || missing="$$missing iproute2"; \
	  command -v valgrind > /dev/null || missing="$$missing valgrind libc6-dbg"; \
	  command -v systemd-socket-activate > /dev/null || missing="$$missing systemd"; \
	  if [ -n "$$missing" ]; then \
	    apt-get -qq update; \
	    RUNLEVEL=1 DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends $$missing; \
	  fi; \
	fi

$(VENV)/bin/python: | check
	$(PYTHON) -m venv $(VENV)

$(VENV)/.examples: tests/requirements-apps.txt | $(VENV)/bin/python
	$(VENV)/bin/python $(PIP) -r $<
	@touch $@

# `set -e` does not look into a substitution in a command's arguments, but into one in an assignment.
$(WITHOUT_GIL)/bin/python: | check
	python="$(FREETHREADED)"; [ -n "$$python" ] || python=$$($(INTERPRETER)); "$$python" -m venv $(WITHOUT_GIL)

$(WITH_GIL)/bin/python: | check
	python="$(GIL)"; [ -n "$$python" ] || python=$$($(INTERPRETER) --gil); "$$python" -m venv $(WITH_GIL)

%/.tests: tests/requirements.txt tests/requirements-apps.txt docs/requirements.txt | %/bin/python
	$*/bin/python $(PIP) -r $<
	@touch $@

%/.rgunicorn: $(SOURCES) | %/bin/python
	$*/bin/python $(PIP) --force-reinstall --no-deps .
	@touch $@

# What the tests run is the wheel that tests/packaging looks at, built once.
$(VENV)/.rgunicorn $(THIRDPARTY)/.rgunicorn: %/.rgunicorn: $(BUILT) | %/bin/python
	$*/bin/python $(PIP) --force-reinstall --no-deps --no-index --find-links dist --only-binary rgunicorn rgunicorn
	@touch $@

# maturin unpacks the sdist below $$TMPDIR and builds the wheel there: what it lacks is found out. The crates that we depend
# on are built here, once.
$(BUILT): $(SOURCES) $(VENV)/.build $(if $(ZIG),$(LINKER)/.installed)
	rm -f dist/rgunicorn-* dist/.built*
	CARGO_TARGET_DIR=$(CURDIR)/target $(MATURIN) --sdist --interpreter $(VENV)/bin/python
	@touch $@

# There is no stable ABI without the GIL before 3.15: a wheel for this version only.
dist/.built-without-gil: $(BUILT) | $(WITHOUT_GIL)/bin/python
	CARGO_TARGET_DIR=$(CURDIR)/target/without-gil $(MATURIN) --interpreter $(WITHOUT_GIL)/bin/python
	@touch $@

$(VENV)/.build: tests/requirements-build.txt | $(VENV)/bin/python
	$(VENV)/bin/python $(PIP) -r $<
	@touch $@

$(LINKER)/.installed: tests/requirements-zig.txt | check
	$(PYTHON) -m venv $(LINKER)
	$(LINKER)/bin/python $(PIP) -r $<
	@touch $@

# Beside rgunicorn, not in one environment with it: each server must find only itself.
$(GUNICORN)/.installed: tests/requirements-gunicorn.txt tests/requirements-apps.txt | check
	$(PYTHON) -m venv $(GUNICORN)
	$(GUNICORN)/bin/python $(PIP) -r $<
	@touch $@

$(DOCS)/.installed: docs/requirements.txt
	$(PYTHON) -m venv $(DOCS)
	$(DOCS)/bin/python $(PIP) -r $<
	@touch $@

# Both servers in one environment: packages such as uvicorn-worker depend on Gunicorn.
$(THIRDPARTY)/.installed: tests/requirements-thirdparty.txt tests/requirements-gunicorn.txt tests/requirements-apps.txt | $(THIRDPARTY)/bin/python
	$(THIRDPARTY)/bin/python $(PIP) -r $<
	@touch $@

$(THIRDPARTY)/bin/python: | check
	$(PYTHON) -m venv $(THIRDPARTY)
