# make quickstart   build, prune a small trained network, show before and after
# make test         build and run every test suite
# The rest is listed by `make help`.

SHELL := /bin/bash
SWIFT ?= swift
CC ?= cc
PYTHON ?= python3
BUILD := build
VENV := .venv
PLUGINS := magnitude norm-scale fpgm lamp uniform uniform-plus global erk sparsity size
C_PLUGINS := random
SWIFT_FLAGS := -c release -Xswiftc -no-toolchain-stdlib-rpath
CFLAGS := -std=c11 -O2 -Wall -Wextra -Werror

.PHONY: help quickstart test build tools venv examples fixtures wheel bench docs lint format fuzz asan tsan freeze clean c-examples print-plugins print-c-plugins

help:
	@sed -n 's/^# //p' Makefile; echo; grep -E '^[a-z]+:.*##' Makefile | sed 's/:.*## /\t/' | expand -t 14

quickstart: build venv ## prune the digits network, print sizes and accuracy before and after
	PARE=$(BUILD)/bin/pare PYTHON=$(VENV)/bin/python examples/digits/quickstart.sh

test: build venv examples fixtures ## every suite; the last line counts
	$(VENV)/bin/python scripts/test.py

build: tools ## the command, libpare and the plugins into build/
	$(SWIFT) build $(SWIFT_FLAGS)
	scripts/assemble.sh $(BUILD) $(PLUGINS)
	@for p in $(C_PLUGINS); do \
	  $(CC) $(CFLAGS) -fPIC -shared -fvisibility=hidden -Iinclude plugins/$$p/$$p.c -o $(BUILD)/lib/pare/$$p.pare -lm || exit 1; done

tools: ## install what is missing: Debian packages (as root) for the build
	@scripts/install-tools.sh

venv: ## Python packages for the tests, in .venv
	@scripts/make-venv.sh $(PYTHON) $(VENV)

examples: build c-examples ## the C examples into build/examples

c-examples:
	@mkdir -p $(BUILD)/examples
	@for f in examples-c/*.c; do b=$$(basename $$f .c); \
	  if grep -q pare_plugin_entry $$f; then \
	    $(CC) $(CFLAGS) -fPIC -shared -fvisibility=hidden -Iinclude $$f -o $(BUILD)/examples/$$b.pare -lm || exit 1; \
	  else \
	    $(CC) $(CFLAGS) -Iinclude $$f -o $(BUILD)/examples/$$b -L$(BUILD)/lib -lpare -lm -Wl,-rpath,'$$ORIGIN/../lib' || exit 1; \
	  fi; done

fixtures: build ## old, future and broken plugins for the ABI tests
	@Tests/abi/build_fixtures.sh $(BUILD)/fixtures

wheel: build ## a wheel that loads where no Swift is installed
	python/build_wheel.sh $(BUILD)/wheel

bench: build ## benchmarks against the peers; writes build/bench/RESULTS.md
	Benchmarks/run.sh

docs: tools ## reference pages into build/docs
	scripts/docs.sh $(BUILD)/docs

lint: ## formatting and house rules
	$(SWIFT) format lint -r --strict Sources plugins Tests Package.swift
	scripts/house-rules.sh

format: ## rewrite Swift sources in the house format
	$(SWIFT) format -r -i Sources plugins Tests Package.swift

fuzz: ## fuzz the readers; SECONDS_EACH=600 for the long run
	Tests/fuzz/run.sh $(or $(SECONDS_EACH),60)

asan: venv ## every suite under the address sanitizer
	scripts/sanitize.sh address

tsan: venv ## every suite under the thread sanitizer
	scripts/sanitize.sh thread

freeze: ## copy today's headers beside the frozen version-1 plugin
	Tests/abi/freeze.sh 1

# For scripts.
print-plugins:
	@echo $(PLUGINS)

print-c-plugins:
	@echo $(C_PLUGINS)

clean:
	rm -rf .build $(BUILD)
