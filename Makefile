PYTHON ?= python3
PORT ?= 8000
# How many processes the tests run in.
WORKERS ?= auto
# Which they are, by file or folder; all of them if empty.
TESTS ?=
# What chooses the sample of the proofs that `make test` takes; made up, and printed, if empty.
SEED ?=
# Which of the tests `make test` runs, by their marks.
MARKS ?= not proof
# Folders of proofs alone.
PROOFS := tests/proofs tests/conformance
BEHAVIOUR := tests $(PROOFS:%=--ignore=%)
# How many documents `make fuzz` makes up.
FUZZ ?= 50000

BIN := .venv/bin
PYTEST := $(BIN)/pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder
INSTALLED := .venv/.installed
PORTAL := gateway/portal
ASSETS := $(PORTAL)/node_modules/.installed
CONFORMANCE := tests/conformance
# The audits, and the generators of clients for each face: each folder with a lock of its own.
JUDGES := $(CONFORMANCE) $(CONFORMANCE)/rest_clients $(CONFORMANCE)/graphql_clients
UV := uv==0.13.9
S3 := .tools/s3
CLIENTS := .tools/clients
# A server that speaks S3, in an environment of its own: it wants another python-dateutil than the lock has.
MOTO := moto[s3]==5.2.5 flask==3.1.3 flask-cors==6.0.5
# Generators of clients in Python, and the checker of what they generate; they want other versions than the lock has.
GENERATORS := openapi-python-client==0.29.1 ariadne-codegen==0.19.0 mypy==2.4.0
LOCK := .tools/bin/uv pip compile pyproject.toml --quiet --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-emit-find-links --custom-compile-command 'make lock'

.DEFAULT_GOAL := help
.PHONY: help run test proof fuzz parity conformance check coverage bench format migrate lock clean install assets conformance-tools s3-tools client-tools

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: install assets ## Serve with demo data on http://127.0.0.1:8000 (another port: PORT=9000)
	@exec $(BIN)/gateway serve --demo --port $(PORT)

test: install assets s3-tools ## Run every test of behaviour and a sample of the proofs (again: SEED=1), against real servers
	TEST_SEED=$(SEED) $(PYTEST) -m '$(MARKS)' $(or $(TESTS),$(BEHAVIOUR))

proof: install assets s3-tools conformance-tools client-tools ## Prove in full: both faces alike, rights, kills, browsers, others' audits
	TEST_PROOFS=whole $(PYTEST) -m 'proof or sampled' $(or $(TESTS),tests)

fuzz: install ## Ask both paths of reading 50,000 random documents, and compare (another number: FUZZ=1000)
	FUZZ=$(FUZZ) $(BIN)/pytest -n $(WORKERS) tests/services/reader/test_equality.py

parity: install ## Prove that services, REST and GraphQL agree, and that each role can do what is documented
	$(BIN)/gateway parity --against docs/authorization.md

conformance: install conformance-tools client-tools ## Have the gateway judged by others' audits, and say what each found
	$(BIN)/pytest --quiet --no-header $(CONFORMANCE)

check: install ## Check style, format, types and the direction of imports
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

coverage: install assets conformance-tools s3-tools client-tools ## Run every test and show the lines that none of them reached
	TEST_PROOFS=whole $(PYTEST) --cov --cov-report=term-missing

bench: install ## Measure the gateway and its peers, and write the results into docs/performance.md
	$(BIN)/python -m benchmarks --docs

format: install ## Format the code, and mend what can be mended
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

migrate: install ## Bring the database to the newest version
	$(BIN)/gateway migrate

lock: ## Choose versions anew: requirements.txt (to run) and requirements-dev.txt (to develop)
	@test -x .tools/bin/uv || { $(PYTHON) -m venv .tools && .tools/bin/python -m pip install --quiet '$(UV)'; }
	$(LOCK) --upgrade --output-file requirements.txt
	$(LOCK) --upgrade --all-extras --constraint requirements.txt --output-file requirements-dev.txt

clean: ## Remove the environment, fetched assets and caches; data stays
	rm -rf .venv .tools build dist htmlcov .coverage* .hypothesis .import_linter_cache .mypy_cache .pytest_cache \
		.ruff_cache .schemathesis $(PORTAL)/node_modules $(JUDGES:%=%/node_modules)
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

install: $(INSTALLED)

$(INSTALLED): pyproject.toml requirements-dev.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo 'Python 3.11 or newer is needed: make PYTHON=python3.13 …' >&2; exit 1; }
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --no-deps --require-hashes --requirement requirements-dev.txt
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

# GraphiQL comes from npm alone. Without it the page falls back on its public address, so nothing here may fail.
assets:
	@if [ $(ASSETS) -nt $(PORTAL)/package-lock.json ]; then :; \
	elif ! command -v npm > /dev/null; then \
		echo 'npm is not installed, so GraphiQL is loaded from its public address.'; \
	elif npm ci --silent --no-audit --no-fund --ignore-scripts --prefix $(PORTAL); then touch $(ASSETS); \
	else echo 'npm could not fetch GraphiQL, so it is loaded from its public address.'; fi

# The audits and generators from npm. Where they are missing their tests are skipped, so nothing here may fail either.
conformance-tools:
	@for folder in $(JUDGES); do \
		if [ ! -e $$folder/package-lock.json ] || [ $$folder/node_modules/.installed -nt $$folder/package-lock.json ]; then :; \
		elif ! command -v npm > /dev/null; then echo "npm is not installed, so the tests that need $$folder are skipped."; \
		elif npm ci --silent --no-audit --no-fund --ignore-scripts --prefix $$folder; then touch $$folder/node_modules/.installed; \
		else echo "npm could not fetch the packages of $$folder, so the tests that need them are skipped."; fi; \
	done

# Generators of clients in Python. Without them their tests are skipped.
client-tools:
	@if [ $(CLIENTS)/.installed -nt Makefile ]; then :; \
	elif $(PYTHON) -m venv $(CLIENTS) && $(CLIENTS)/bin/python -m pip install --quiet --disable-pip-version-check $(GENERATORS); \
	then touch $(CLIENTS)/.installed; \
	else echo 'pip could not fetch the generators of clients in Python, so their tests are skipped.'; fi

# What the tests of S3 talk to. Without it they are skipped.
s3-tools:
	@if [ $(S3)/.installed -nt Makefile ]; then :; \
	elif $(PYTHON) -m venv $(S3) && $(S3)/bin/python -m pip install --quiet --disable-pip-version-check $(MOTO) 2> /dev/null; \
	then touch $(S3)/.installed; \
	else echo 'pip could not fetch moto, so the tests of S3 are skipped.'; fi
