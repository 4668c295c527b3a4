# The commands of this project. `make run` and `make test` need Python >= 3.11, make and a package registry; no root.

SHELL := /bin/sh
.DEFAULT_GOAL := help
# The first Python on PATH that is new enough.
PYTHON ?= $(shell for name in python3 python3.14 python3.13 python3.12 python3.11 python; do \
  "$$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 && { echo "$$name"; break; }; done)
BIN := .venv/bin
ARGS ?=
SECONDS ?= 3600

.PHONY: help run test check bench bench-im soak chaos lock openapi ready-run ready-test clean

help:
	@echo 'make run     the whole product with demo data on this machine (Ctrl-C stops it)'
	@echo 'make test    everything that proves it works (make check included)'
	@echo 'make check   style, types, import contracts and house rules'
	@echo 'make bench   figures, with hardware, in loadtests/out/ (also: make soak, make chaos)'
	@echo 'make bench-im  chat beside ejabberd, Synapse and a bare echo: loadtests/out/im.json and im.svg'
	@echo 'make lock    requirements/*.txt anew from pyproject.toml (needs uv)'
	@echo 'make openapi static/openapi.json anew from the routes'
	@echo 'make clean   remove what was built; the data in var/ stays'

python-there:
	@test -n "$(PYTHON)" || { echo 'Python 3.11 or newer is needed: apt-get install python3'; exit 1; }

ready-run: python-there
	@$(PYTHON) scripts/prepare.py run

ready-test: python-there
	@$(PYTHON) scripts/prepare.py test
	@$(PYTHON) scripts/system_parts.py

run: ready-run
	@exec $(BIN)/octshop-rt run $(ARGS)

check: ready-test
	@$(BIN)/python scripts/check.py

test: ready-test
	@$(BIN)/python scripts/check.py --all
	@$(BIN)/python -m pytest -q -n 2 --dist worksteal --ignore tests/web $(ARGS)
# Pages alone are asked once more, one by one: on a busy machine a page may be late. What runs at once in the server
# has no second try: a fault that only load shows is a fault.
	@$(BIN)/python -m pytest -q -n 2 --dist worksteal tests/web $(ARGS) \
	  || { echo 'pages that failed, once more, one by one:'; $(BIN)/python -m pytest -q --lf --lfnf=none tests/web $(ARGS); }

bench: ready-test
	@for one in outbox orders scans im_send im_nodes im_crowd desk; do $(BIN)/python loadtests/$$one.py || exit 1; done

bench-im: ready-test
	@$(BIN)/python loadtests/im_peers.py $(ARGS)

chaos: ready-test
	@$(BIN)/python loadtests/chaos.py $(ARGS)

soak: ready-test
	@$(BIN)/python loadtests/soak.py --seconds $(SECONDS) $(ARGS)
	@$(BIN)/python loadtests/soak_idle.py
	@$(BIN)/python loadtests/soak_log.py

lock:
	@$(PYTHON) scripts/lock.py $(ARGS)

# Not by way of the page build: that one checks the pages against the file made here.
openapi: python-there
	@test -x $(BIN)/octshop-rt || $(PYTHON) scripts/prepare.py run
	@$(BIN)/octshop-rt openapi

clean:
	rm -rf .venv build static/node_modules static/dist static/kit/api/schema.d.ts loadtests/out tests/web/shots
	rm -rf .pytest_cache .ruff_cache .hypothesis .import_linter_cache
