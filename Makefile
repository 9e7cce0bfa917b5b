# Everything a developer runs; CI runs the same targets. The machine needs python3 (3.11 or newer), make and git:
# the first target that is run sets up a virtual environment, and a changed pyproject.toml brings it up to date.
#
#   PYTHON=python3.12 make test                  another interpreter, in an environment of its own
#   make test T=tests/rules K=sequential N=0     a part of the suite, in one process
#   CAUSAL_TEST_FULL=1 make test T=tests/actions the campaigns, races and kills in full: 200, 1,000 and 100 a point

PYTHON ?= python3
T ?= tests
K ?=
N ?= auto
B ?=

ifeq ($(PYTHON),python3)
VENV := .venv
else
VENV := .venv-$(shell $(PYTHON) -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null)
endif
BIN := $(VENV)/bin
PY := $(BIN)/python
STAMP := $(VENV)/.installed-$(shell cksum < pyproject.toml | tr ' ' '-')
DOCS := README.md ARCHITECTURE.md $(wildcard docs/*.md)
IS_SUPPORTED := import sys; sys.exit(sys.version_info < (3, 11))

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo test smoke soak rotate check lint fix docs test-all projects bench clean

help: #- list these targets
	@sed -n 's/^\([a-z-]*\):[^#]*#- \(.*\)/  make \1|\2/p' Makefile | awk -F'|' '{ printf "%-16s %s\n", $$1, $$2 }'

demo: $(STAMP) #- the main job on a small real system: sessions recorded, evidence gathered, verdicts given
	@$(PY) examples/demo.py

test: $(STAMP) #- the whole test suite (T=path, K=expression, N=processes)
	@$(PY) -m pytest -n $(N) $(if $(K),-k '$(K)') $(T)

smoke: $(STAMP) #- a short soak from end to end, in under two minutes (SOAK_SLEEP_SECONDS=5)
	@$(PY) -m pytest -m smoke tests/smoke

soak: $(STAMP) #- one soak as the workflows run it: run, verify, report (.github/soak.sh has its variables)
	@PATH="$(abspath $(BIN)):$$PATH" SOAK_RUN_ID="$${SOAK_RUN_ID:-$$(date -u +%Y%m%dT%H%M%SZ)}" bash .github/soak.sh

rotate: $(STAMP) #- compress old files of soaks, and delete those over the limits
	@mkdir -p artifacts/soak && $(PY) -m tools.soak.artifact_manager --path artifacts/soak --ttl-days 7 --keep-latest 100 --max-size-mb 900

check: lint test #- all that a change must pass: lint, then test

lint: $(STAMP) #- format, lint, types, import contracts, documents in step, workflows
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(PY) tests/repo/lengths.py
	@$(PY) -m cogapp --check --diff --verbosity=1 $(DOCS)
	@$(BIN)/check-jsonschema --builtin-schema vendor.github-workflows .github/workflows/*.yml
	@$(BIN)/check-jsonschema --builtin-schema vendor.dependabot .github/dependabot.yml
	@$(BIN)/zizmor --offline --quiet .github

fix: $(STAMP) docs #- format, mend what the linter can mend, regenerate the documents' generated blocks
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

docs: $(STAMP) #- regenerate the generated blocks of the documents from the code
	@$(PY) -m cogapp -r --verbosity=1 $(DOCS)

test-all: $(STAMP) #- the built wheel on every supported Python, oldest and newest pytest, with and without xdist
	@$(BIN)/nox

projects: $(STAMP) #- run the suites of real projects with and without the plugin, and compare (P="name ...")
	@$(PY) tests/projects/compare.py $(or $(P),more-itertools attrs click pluggy)

bench: $(STAMP) #- measure everything side by side with peers, into bench/RESULTS.md (B="startup soak" for some cases)
	@$(PY) -m bench $(B)

clean: #- remove environments and caches
	rm -rf .venv .venv-* .nox .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis build dist

$(STAMP):
	@$(PYTHON) -c '$(IS_SUPPORTED)' 2>/dev/null || { \
	  echo "make: '$(PYTHON)' is not a working Python 3.11 or newer; install one and name it: PYTHON=/path/to/python3 make $(MAKECMDGOALS)" >&2; \
	  exit 1; }
	@$(PY) -c 'import pip; $(IS_SUPPORTED)' 2>/dev/null || $(PYTHON) -m venv --clear $(VENV) || { \
	  echo "make: '$(PYTHON) -m venv' failed; on Debian and Ubuntu: apt install python3-venv" >&2; exit 1; }
	@echo "setting up $(VENV)" >&2
	@$(PY) -m pip install --quiet --disable-pip-version-check --upgrade pip uv
	@# uv is fast but does not know pip's own configuration: where a mirror is set only there, pip does the work.
	@$(BIN)/uv pip install --quiet --python $(PY) --group dev --editable . \
	  || $(PY) -m pip install --quiet --group dev --editable .
	@rm -f $(VENV)/.installed-* && touch $@
