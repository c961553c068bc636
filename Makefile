# Abide. The two commands to know: make demo · make test
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.ready
SOURCES := pyproject.toml build/requirements/dev.txt package-lock.json build/setup.sh build/hatch_build.py \
           $(wildcard rules/abide_rules/locale/*/LC_MESSAGES/*.po)

.PHONY: help demo test bench check package setup messages lock clean

help:            ## what can be made
	@grep -hE '^[a-z]+: .*##|^[a-z]+:  *##' $(MAKEFILE_LIST) | sed -E 's/:.*##/\t/'

demo: setup      ## server, agent and browser on this machine (HEADLESS=1: the whole story unattended; BROWSER=firefox; SHOTS=1: renew the README's screenshots)
	@$(BIN)/python -m tests.demo $(if $(HEADLESS),--headless) $(if $(SHOTS),--shots) $(if $(findstring command,$(origin BROWSER)),--browser $(BROWSER))

test: setup      ## all tests, in real browsers too (ONLY=path for some; JOBS=2 at a time)
	@$(BIN)/python -m pytest -n $(or $(JOBS),2) --dist loadfile $(ONLY)
	@$(if $(ONLY),true,PATH="$(CURDIR)/$(BIN):$$PATH" npm run --silent test)

bench: setup     ## measure beside peers → var/bench.json (ONLY=prefix for some); give it a quiet machine
	@$(BIN)/python -m tests.bench $(if $(ONLY),--only $(ONLY))

check: setup     ## lint and types, Python and extension
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@PATH="$(CURDIR)/$(BIN):$$PATH" npm run --silent types
	@PATH="$(CURDIR)/$(BIN):$$PATH" npm run --silent lint
	@PATH="$(CURDIR)/$(BIN):$$PATH" npm run --silent lint:addon

package: setup   ## dist/: the agent as a Debian package, the extension as CRX and XPI (KEY=file: the extension's key; UPDATE_URL=https://…)
	@$(BIN)/python build/package.py $(if $(KEY),--key $(KEY)) $(if $(UPDATE_URL),--update-url $(UPDATE_URL))

setup: $(STAMP)  ## virtualenv, locked dependencies, and, as root, missing system packages

$(STAMP): $(SOURCES)
	@PYTHON=$(PYTHON) bash build/setup.sh $(VENV)
	@touch $@

messages: setup  ## collect new texts for translation
	@mkdir -p var
	@$(BIN)/pybabel -q extract -F build/babel.cfg --omit-header --no-location -o var/abide.pot rules agent server
	@$(BIN)/pybabel -q update -N --no-wrap --ignore-obsolete --ignore-pot-creation-date -D abide -l zh -i var/abide.pot -d rules/abide_rules/locale

lock: setup      ## renew the lock files after a change in pyproject.toml or package.json
	@$(BIN)/uv pip compile -q pyproject.toml --extra dev --generate-hashes --no-emit-index-url --no-emit-find-links \
	    --no-annotate --no-header --universal --python-version 3.11 -o build/requirements/dev.txt
	@$(BIN)/uv pip compile -q pyproject.toml --extra agent --extra package --constraints build/requirements/dev.txt \
	    --generate-hashes --no-emit-index-url --no-emit-find-links \
	    --no-annotate --no-header --universal --python-version 3.11 -o build/requirements/package.txt
	@npm install --package-lock-only

clean:           ## everything that can be made again
	@rm -rf $(VENV) node_modules var dist
