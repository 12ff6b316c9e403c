# Everything runs in .venv: the demo on requirements.runtime.lock, everything else on requirements.lock.
# Other interpreter: make test PYTHON=python3.12 VENV=/tmp/venv-3.12

PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
RUNTIME := $(VENV)/.runtime
READY  := $(VENV)/.ready
# Installs faster, and is not needed: make demo UV= does without.
UV     ?= $(shell command -v uv 2>/dev/null)
KQL    := tools/kql-check
SERVE  ?= yes
# As an installation does; some environments keep Python from doing it on the way.
COMPILE = $(BIN)/python -m compileall -q respond actions playbooks

MAKEFLAGS += --no-print-directory
.PHONY: help demo check test soak lint quick-lint bench compare docs kql-check lock clean
.DELETE_ON_ERROR:

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## /  make \1	/p' $(firstword $(MAKEFILE_LIST)) | expand -t 20

demo: $(RUNTIME) ## answer one phished user in the lab tenant; state in .demo/
	@mkdir -p .demo; $(COMPILE)
	@PYTHONDONTWRITEBYTECODE= RESPOND_CONFIG=config RESPOND_STATE__URL=sqlite:///.demo/respond.db \
	  $(BIN)/respond --user target.user@contoso.com $(ARGS)
	@echo; echo "  Its state is in .demo/. To look around: export RESPOND_STATE__URL=sqlite:///.demo/respond.db"

# Two workers, unless the machine has more processors or WORKERS says otherwise.
WORKERS ?= $(shell n=$$(getconf _NPROCESSORS_ONLN 2>/dev/null || echo 2); [ $$n -gt 2 ] && echo $$n || echo 2)
# Python keeps what it compiles, also where the environment says otherwise: reading the tests takes half as long then.
PYTEST  := PYTHONDONTWRITEBYTECODE= $(BIN)/python -m pytest -n $(WORKERS) --dist loadgroup
NOTHING_STARTED := not process and not database and not lab and not soak

check: lint ## lint, then the tests that start no process, no lab and no database: the inner loop, a minute
	@$(PYTEST) -q -m "$(NOTHING_STARTED)" --hypothesis-profile=check $(ARGS)

# The types are checked beside the tests: from a cold cache they take a minute.
test: quick-lint ## lint, check, and end to end one test a rule (ARGS="-k name" picks some); minutes
	@types=$$(mktemp); $(BIN)/mypy --no-error-summary >$$types 2>&1 & checker=$$!; \
	tests=0; $(PYTEST) -m "not soak" $(BUDGET) $(ARGS) || tests=$$?; \
	lint=0; wait $$checker || lint=$$?; \
	[ $$lint -eq 0 ] || { echo >&2 "lint     types"; cat >&2 $$types; }; \
	rm -f $$types; [ $$tests -eq 0 ] && [ $$lint -eq 0 ]

soak: $(READY) ## every test, with new random examples and in random order, then the mutation list; half an hour
	@seed=$${SEED:-$$(date +%s)}; echo "soak     SEED=$$seed"; \
	$(PYTEST) --hypothesis-profile=soak --hypothesis-seed=$$seed --random-order --random-order-seed=$$seed $(ARGS)
	@echo "soak     mutations"; $(BIN)/python -m tools.mutation

lint: quick-lint ## ruff, formatting, types, import contracts
	@echo "lint     types";   $(BIN)/mypy --no-error-summary

quick-lint: $(READY)
	@echo "lint     ruff";    $(BIN)/ruff check --quiet .
	@echo "lint     format";  $(BIN)/ruff format --check --quiet . || \
	  { echo >&2 "lint: formatting differs in the files above; run: $(BIN)/ruff format ."; exit 1; }
	@echo "lint     imports"; out=$$($(BIN)/lint-imports --no-logo 2>&1) || { echo >&2 "$$out"; exit 1; }

bench: $(READY) ## speed and memory, each against its goal
	@$(COMPILE); $(BIN)/python -m bench $(ARGS)

compare: $(READY) ## our verdicts beside public detections on every scenario; writes the README's table
	@$(COMPILE); $(BIN)/python -m bench.compare --write $(ARGS)

docs: $(READY) ## write the pages that a program writes, then the site, on http://127.0.0.1:8000 (SERVE= builds it only)
	@$(BIN)/python -m tools.pages.write
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet
	@$(if $(SERVE),NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs serve --strict)

kql-check: $(READY) $(KQL)/node_modules/.ready ## every query, by Microsoft's own language service (needs Node)
	@node $(KQL)/check.mjs --self-test
	@node $(KQL)/check.mjs
	@forms=$$(mktemp -d) && $(BIN)/python -m tools.queries.hunting_forms $$forms && node $(KQL)/check.mjs --queries $$forms; \
	  status=$$?; rm -r $$forms; exit $$status

# Keeps the versions it finds; UPGRADE=1 looks for newer ones. Needs uv, which nothing else does. The container takes
# the other two, each a part of requirements.lock: what the program needs, and what builds its wheel.
UV_COMPILE = env -u UV_INDEX -u UV_EXTRA_INDEX_URL -u UV_FIND_LINKS uv pip compile --quiet --no-config --universal \
	  --python-version 3.11 --generate-hashes --no-strip-extras --no-annotate --no-emit-index-url --no-emit-find-links \
	  --custom-compile-command "make lock"
BUILD_REQUIRES = sed -n 's/^requires = \["\(.*\)"\]$$/\1/p' pyproject.toml
PART = --constraints requirements.lock --output-file

lock: ## write the three lock files anew from pyproject.toml
	@command -v uv >/dev/null || { echo >&2 "make lock needs uv; install the package uv with pip or pipx"; exit 1; }
	@$(UV_COMPILE) --extra dev $(if $(UPGRADE),--upgrade) pyproject.toml -o requirements.lock
	@$(UV_COMPILE) pyproject.toml $(PART) requirements.runtime.lock
	@$(BUILD_REQUIRES) | $(UV_COMPILE) - $(PART) requirements.build.lock
	@for file in requirements*.lock; do echo "lock     $$(grep -c '==' $$file) packages in $$file"; done

clean: ## remove everything that was made here
	@rm -rf $(VENV) .demo dist site $(KQL)/node_modules .mypy_cache .pytest_cache .hypothesis .import_linter_cache
	@find . \( -name __pycache__ -o -name .ruff_cache \) -type d -prune -exec rm -rf {} +

# The lock files are complete, so nothing is resolved. No bytecode here: of 25,000 modules a demo imports 1,200, and
# Python compiles those on import; $(READY) compiles the rest on every core, and as pip does, passes over a file that is
# not valid Python. uv does not read pip's configuration: where it cannot fetch a package, pip may.
define INSTALL
set -eu; \
if [ -n "$(UV)" ]; then \
  if "$(UV)" pip install -q --python $(BIN)/python --no-deps $(1) 2>$(VENV)/uv.log; then exit 0; fi; \
  echo >&2 "install  uv could not do it ($(VENV)/uv.log says why); now with pip"; \
fi; \
$(BIN)/python -m pip --version >/dev/null 2>&1 || $(BIN)/python -m ensurepip --default-pip >/dev/null; \
$(BIN)/python -m pip install -qq --disable-pip-version-check --no-input --no-compile --no-deps $(1)
endef

# $(PYTHON) if it is new enough, else the first that is; a PYTHON given by hand is not second-guessed.
CANDIDATES := $(PYTHON)$(if $(filter file,$(origin PYTHON)), python3.13 python3.12 python3.11)

$(RUNTIME): requirements.runtime.lock requirements.build.lock pyproject.toml
	@set -eu; python=; \
	for candidate in $(CANDIDATES); do \
	  if "$$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then \
	    python=$$candidate; break; \
	  fi; \
	done; \
	if [ -z "$$python" ]; then \
	  echo >&2 "Python 3.11 or newer is needed; looked for: $(CANDIDATES). Install one, or: make PYTHON=/path/to/python3"; \
	  exit 1; \
	fi; \
	if ! "$$python" -c 'import ensurepip, venv' 2>/dev/null; then \
	  echo >&2 "$$python cannot make a virtual environment. On Debian and Ubuntu: apt-get install python3-venv"; \
	  exit 1; \
	fi; \
	echo "install  $$("$$python" --version) and requirements.runtime.lock into $(VENV)"; \
	"$$python" -m venv --without-pip $(VENV)
	@$(call INSTALL,--require-hashes -r requirements.runtime.lock -r requirements.build.lock)
	@$(call INSTALL,--no-build-isolation -e .)
	@$(COMPILE)
	@touch $@

$(READY): $(RUNTIME) requirements.lock
	@echo "install  requirements.lock into $(VENV)"
	@$(call INSTALL,--require-hashes -r requirements.lock)
	@$(BIN)/python -m compileall -qq -j 0 "$$($(BIN)/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')" || :
	@touch $@

$(KQL)/node_modules/.ready: $(KQL)/package.json $(KQL)/package-lock.json
	@node -e 'process.exit(parseInt(process.versions.node, 10) < 18 ? 1 : 0)' 2>/dev/null || \
	  { echo >&2 "kql-check needs Node 18 or newer. On Debian and Ubuntu: apt-get install nodejs npm"; exit 1; }
	@command -v npm >/dev/null || { echo >&2 "kql-check needs npm. On Debian and Ubuntu: apt-get install npm"; exit 1; }
	@echo "install  $(KQL) with npm"; cd $(KQL) && npm ci --loglevel=error >/dev/null
	@touch $@
