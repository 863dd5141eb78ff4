# Tickwire's commands.  Needs make and Python 3.11 to 3.13 with venv; everything else is installed into .venv.

PYTHONS := python3.13 python3.12 python3.11 python3
VENV := .venv
BIN := $(VENV)/bin
CLIENT := clients/python
SOURCES := services gateway producer tickwire deploy/grafana tests benchmarks $(CLIENT)/src $(CLIENT)/tests $(CLIENT)/examples
WEB := gateway/web
PAGE := $(WEB)/dist/index.html
PAGE_SOURCES := $(shell find $(WEB) clients/javascript/src -type f ! -path '*/node_modules/*' ! -path '*/dist/*')
# What needs no container engine: what only computes, and what starts brokers or measures.
PURE_SUITES := tests/unit tests/model
SUITES := $(CLIENT)/tests tests/contract tests/integration tests/faults

.PHONY: demo web wheel test autobahn monitoring dashboards faults soak check audit e2e bench bench-quick bench-micro clean help spec examples javascript
.DEFAULT_GOAL := help

help: ## show this list
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: $(VENV)/.runtime ## everything in one process: a page with moving prices at http://localhost:8080/
	@$(MAKE) --no-print-directory web || echo "warning: the page could not be built; the demo serves everything else" >&2
	@exec $(BIN)/tickwire demo

web: $(PAGE) ## the page at /, built into gateway/web/dist; Node comes from PyPI where there is none

# setuptools takes what earlier builds have left and listed: a page of then.
WHEELS := dist
wheel: $(PAGE) ## a wheel with the page in it, into dist
	@rm -rf build/lib tickwire.egg-info/SOURCES.txt
	$(BIN)/python -m pip wheel --quiet --disable-pip-version-check --no-deps --wheel-dir $(WHEELS) .

# The first run side by side.  Hashes are fixed, since both processes must find the same tests in the same order.
test: $(VENV)/.complete ## every test that needs no container engine, but the long ones of make faults
	PYTHONHASHSEED=0 $(BIN)/pytest --numprocesses 2 $(PURE_SUITES)
	$(BIN)/pytest -m "not slow" $(SUITES)

javascript: $(VENV)/.complete ## the JavaScript client and the page: types, lint, tests, size, package, and real gateways that are killed
	PATH=$$(deploy/node.sh) && export PATH && (cd clients/javascript && npm ci --no-fund --no-audit && npm run all) && \
	  (cd $(WEB) && npm ci --no-fund --no-audit && npm run check && npm test) && $(BIN)/pytest tests/javascript

autobahn: $(VENV)/.complete ## the 301 cases of Autobahn's fuzzing client in sections 1 to 7, 9 and 10
	$(BIN)/pytest tests/autobahn

SPEC := tests/spec
spec: $(VENV)/.complete $(SPEC)/node_modules/.package-lock.json ## the OpenAPI and AsyncAPI documents: by the standards' schemas, through generators, and schemathesis against a gateway
	PATH=$$(deploy/node.sh) && export PATH && $(BIN)/pytest $(SPEC)

$(SPEC)/node_modules/.package-lock.json: $(SPEC)/package.json $(SPEC)/package-lock.json | $(BIN)/python
	PATH=$$(deploy/node.sh) && export PATH && cd $(SPEC) && npm ci --no-fund --no-audit
	@touch $@

monitoring: $(VENV)/.complete ## every dashboard's queries and every alert, from a real Prometheus that scrapes a system under load
	$(BIN)/pytest tests/monitoring

dashboards: | $(BIN)/python ## Grafana's dashboards as JSON, into build/grafana
	$(BIN)/python -m deploy.grafana build/grafana

faults: $(VENV)/.complete ## each fault against real processes, long ones too; writes build/faults.md
	$(BIN)/pytest tests/faults

SOAK_S := 1200
soak: $(VENV)/.complete ## churn and random faults for SOAK_S seconds (1200); memory, files, tasks, queues stay flat
	TICKWIRE_SOAK_S=$(SOAK_S) $(BIN)/pytest tests/soak

check: $(VENV)/.complete ## format, lint, types, import rules, make audit, then make test
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy $(SOURCES)
	$(BIN)/lint-imports
	$(MAKE) audit
	$(MAKE) test

audit: $(VENV)/.complete ## known vulnerabilities in deploy/requirements.lock; says so where nobody can be asked
	$(BIN)/python deploy/audit.py

e2e: $(VENV)/.complete $(PAGE) ## the Compose stack, with a real container engine; the page and the examples in a real browser
	PATH=$$(deploy/node.sh) && export PATH && $(BIN)/pytest tests/e2e tests/browser tests/examples

.PHONY: examples
examples: $(VENV)/.complete ## React, Vue, Node and a server component, as a stranger runs them, against a demo that runs
	PATH=$$(deploy/node.sh) && export PATH && $(BIN)/pytest tests/browser/test_frameworks.py tests/examples

bench: $(VENV)/.complete ## every benchmark, about 30 minutes; writes benchmarks/results
	$(BIN)/python -m benchmarks

bench-quick: $(VENV)/.complete ## each benchmark once and briefly, under 2 minutes; writes build/benchmarks
	$(BIN)/python -m benchmarks --quick --out build/benchmarks

bench-micro: $(VENV)/.complete ## the pure parts of the hot path, with pytest-benchmark
	$(BIN)/pytest benchmarks/micro --benchmark-only

clean: ## remove the environment and every cache
	rm -rf $(VENV) $(WEB)/dist build dist benchmarks/build *.egg-info $(CLIENT)/src/*.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	find clients/javascript $(WEB) $(SPEC) examples -name node_modules -type d -prune -exec rm -rf {} +
	find $(SOURCES) -name __pycache__ -type d -prune -exec rm -rf {} +

$(PAGE): $(PAGE_SOURCES) | $(BIN)/python
	@PATH=$$(deploy/node.sh) && export PATH && cd $(WEB) && npm ci --silent && npm run --silent build && touch dist/index.html

# The stamps are keyed on both pyproject.toml: a change there installs again.  The demo needs no test tools, which
# saves about a third of the time to its first tick.
$(VENV)/.runtime: pyproject.toml $(CLIENT)/pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable $(CLIENT) --editable .
	@touch $@

$(VENV)/.complete: pyproject.toml $(CLIENT)/pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable $(CLIENT) --editable '.[test,dev,bench]'
	@touch $(VENV)/.runtime $@

$(BIN)/python:
	@for python in $(PYTHONS); do \
	  command -v $$python >/dev/null 2>&1 || continue; \
	  if ! $$python -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))'; then \
	    unsuitable="$$unsuitable $$python ($$($$python -V 2>&1))"; continue; \
	  fi; \
	  if ! $$python -c 'import venv, ensurepip' 2>/dev/null; then \
	    without="$$without $$python"; continue; \
	  fi; \
	  echo "making $(VENV) with $$python"; \
	  if $$python -m venv $(VENV); then exit 0; fi; \
	  rm -rf $(VENV); exit 1; \
	done; \
	if [ -n "$$without" ]; then \
	  echo "error: the venv module is missing for$$without; on Debian or Ubuntu: apt-get install python3-venv" >&2; \
	elif [ -n "$$unsuitable" ]; then \
	  echo "error: Tickwire needs Python 3.11, 3.12 or 3.13; found only$$unsuitable" >&2; \
	else \
	  echo "error: Tickwire needs Python 3.11, 3.12 or 3.13; found none on PATH" >&2; \
	fi; \
	exit 1
