# One recipe a verb. Every recipe sets up what it needs; on a fresh machine Python 3.11 or newer is enough.
VENV := .venv
PYTHON ?= python3
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: demo tour test e2e compat corpus drills bench check fix texts clean

demo: $(READY) ## a small company in the browser, with the bot at work in it
	$(BIN)/k8snet demo

tour: $(READY) ## the same story without a browser, as a transcript, in under a minute
	$(BIN)/k8snet tour

test: check ## lint, types, import contract and all tests that need no rights
	$(BIN)/python -m pytest -n auto -m "not kernel"

e2e: $(READY) ## the article's network in Linux namespaces, with real packets (root or user namespaces)
	$(BIN)/python -m pytest -m kernel -p no:xdist

compat: $(READY) .venv-compat/.ready ## the vendor's own Ansible collection against the simulated FortiGate (fetches Ansible)
	$(BIN)/python -m tests.compat

corpus: $(READY) ## every fault the lab can make, checked on both networks; prints confusion tables (ten minutes)
	$(BIN)/python -m bench.corpus

drills: $(READY) ## gateway failures on real packets, timed (root or user namespaces; minutes)
	$(BIN)/python -m lab.drills

bench: $(READY) ## side-by-side measurements of the firewall, of check, and of acknowledging commands
	$(BIN)/python -m bench.fortigate
	$(BIN)/python -m bench.check
	$(BIN)/python -m bench.acknowledging

check: $(READY) ## lint, format, types, import contract
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

fix: $(READY) ## let the linter mend what it can
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

TEXTS := bot/locales
texts: $(READY) ## collect every text that people read, for the translations to follow
	$(BIN)/pybabel -q extract -k tr -k tr_n:1,2 -k marked -k label --no-location --sort-output --omit-header \
	    -o $(TEXTS)/k8snet.pot bot handlers backends
	$(BIN)/pybabel -q update -l zh_Hans_CN -i $(TEXTS)/k8snet.pot -o $(TEXTS)/zh-CN.po \
	    --no-fuzzy-matching --ignore-obsolete --ignore-pot-creation-date

clean:
	rm -rf $(VENV) build *.egg-info .pytest_cache .mypy_cache .ruff_cache .import_linter_cache

.venv-compat/.ready:
	$(PYTHON) -m venv .venv-compat
	.venv-compat/bin/pip install --quiet --disable-pip-version-check 'ansible>=11,<13'
	touch $@

$(READY): pyproject.toml
	$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("k8snet needs Python 3.11 or newer: make PYTHON=python3.12 …")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --editable '.[dev]'
	if command -v krb5-config >/dev/null; then \
	    $(BIN)/pip install --quiet --disable-pip-version-check --editable '.[kerberos]' \
	        || echo 'Without the extra kerberos, which has to be compiled: its tests are skipped.'; fi
	touch $@
