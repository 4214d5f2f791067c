# The commands of the project. `make` alone lists them.

STACK ?= dev
BASE ?= origin/main
ARGS ?=

.DEFAULT_GOAL := help
# No variable of somebody's Python changes what these do, or has every process compile its modules again.
unexport PYTHONHOME PYTHONPATH PYTHONOPTIMIZE PYTHONWARNINGS PYTHONSAFEPATH PYTHONDONTWRITEBYTECODE

.PHONY: help local chaos test quick engine lint javascript format bench picture fonts docs settings actionlint diff preview deploy verify drift destroy lock clean

help: ## List what can be made
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' Makefile

local: ## Run the whole system on this machine, until Ctrl-C (ARGS=--detach: in the background)
	@scripts/setup python ministack database
	@.venv/bin/cafe local $(ARGS)

chaos: ## Break the running local stack while orders arrive, and audit it (ARGS=--help: how)
	@scripts/setup python
	@.venv/bin/python -m chaos $(ARGS)

test: ## Run all tests (ARGS="-k parser": some of them)
	@scripts/setup python ministack database browser
	@.venv/bin/python -m pytest $(ARGS)

# The kinds that run in seconds, but for the tests that need a database server.
quick: lint ## Run lint and the tests that need no stack, no database and no browser, in a minute
	@.venv/bin/python -m pytest -m "not database" tests/unit tests/program tests/cli tests/docs tests/scripts tests/ci $(ARGS)

engine: ## Run the program in Pulumi's engine, with fake providers (needs the Pulumi CLI)
	@scripts/setup python
	@.venv/bin/python -m tests.engine.cli
	@.venv/bin/python -m pytest --numprocesses=0 tests/engine $(ARGS)

lint: javascript ## Check style and types
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy
	.venv/bin/shellcheck $(shell git grep --files-with-matches '^#!.*bash')
	.venv/bin/zizmor --quiet --offline .github

# The machine's Node, or the one that the set-up adds to .venv
node_bin = PATH="$(CURDIR)/.venv/bin:$$PATH" scripts/js/node_modules/.bin

javascript: ## Check style and types of the pages and of CloudFront's function
	@scripts/setup python javascript
	$(node_bin)/tsc --project scripts/js
	$(node_bin)/biome lint --config-path=scripts/js --error-on-warnings web infra tests/browser

format: ## Format the sources, and repair what ruff can repair
	@scripts/setup python
	.venv/bin/ruff check --fix-only .
	.venv/bin/ruff format .

bench: ## Measure what an order costs, and write docs/benchmarks.md (ARGS=--help: how)
	@scripts/setup python database
	@.venv/bin/python -m bench $(ARGS)

picture: ## Make the README's pictures and diagram (ARGS="--origin ADDRESS": of a running stack)
	@scripts/setup python browser
	@.venv/bin/python -m docs.architecture
	@.venv/bin/python -m tests.browser.screenshot docs $(ARGS)

fonts: ## Make the pages' fonts again (needs npm)
	@scripts/setup python
	@.venv/bin/uv run --quiet --no-project --with fonttools==4.68.0 --with brotli==1.2.1 scripts/fonts.py

docs: ## Write docs/settings.md and the tables of alarms
	@scripts/setup python
	@.venv/bin/python -m infra.generated_docs

settings: docs

actionlint: ## Check the workflows by actionlint (needs Go)
	go run github.com/rhysd/actionlint/cmd/actionlint@v1.7.12

diff: ## Show what this checkout changes in the program, without an account (BASE=origin/main)
	@scripts/setup python
	@.venv/bin/python -m infra.program_diff $(BASE)

preview: ## Show what a deploy would change on AWS (STACK=dev)
	@scripts/setup python
	@scripts/pulumi preview $(STACK) $(ARGS)

deploy: ## Deploy to AWS (STACK=dev)
	@scripts/setup python
	@scripts/pulumi up $(STACK) $(ARGS)

verify: ## Follow one order through a stack (STACK=dev)
	@scripts/setup python
	@.venv/bin/cafe verify --stack $(STACK) $(ARGS)

drift: ## Show what is no longer as the last deploy left it; fail if something is not (STACK=dev)
	@scripts/setup python
	@scripts/pulumi refresh $(STACK) --preview-only --expect-no-changes --non-interactive $(ARGS)

destroy: ## Remove a stack from AWS (STACK=dev)
	@scripts/setup python
	@scripts/pulumi destroy $(STACK) $(ARGS)

# Written for every platform and for the oldest Python that is supported.
compile = .venv/bin/uv pip compile --quiet --generate-hashes --universal --python-version 3.11 --no-header

lock: ## Pin the newest versions that pyproject.toml allows
	@scripts/setup python
	$(compile) --upgrade pyproject.toml --output-file requirements.txt
	$(compile) --upgrade pyproject.toml --extra dev --constraint requirements.txt --output-file requirements-dev.txt
	$(compile) --upgrade --group ministack --output-file requirements-ministack.txt
	$(compile) --upgrade --group node --output-file requirements-node.txt
	@scripts/setup python
	.venv/bin/python scripts/models.py

clean: ## Stop the local stack, and remove what was made in this directory
	@if [ -x .venv/bin/cafe ]; then .venv/bin/cafe local stop || true; fi
	@rm -rf .venv .venv-ministack scripts/js/node_modules .local .hypothesis .mypy_cache .pytest_cache .ruff_cache build *.egg-info
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
