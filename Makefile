# `make demo` and `make test` set everything up by themselves, once; `make setup` does only that.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
JAX_TESTS := tests/test_step.py tests/test_losses.py tests/test_strategy.py

.PHONY: help setup demo demo-train web mhmd-demo test test-engines test-ray test-browser test-jax test-golden test-formats test-install \
  lint bench clean

help:
	@echo "make demo         colorize some photographs with the model that comes with the project"
	@echo "make demo-train   train a small network on a few photographs and colorize their gray versions (minutes)"
	@echo "make web          colorize in a page in a browser, on this machine alone"
	@echo "make mhmd-demo    build a data set of films that are made for it, with a small labeller (minutes)"
	@echo "make test         run the tests but for the following (a quarter of an hour on two cores, 8 GB of memory)"
	@echo "make test-engines compute the same with TensorFlow and with JAX (some minutes)"
	@echo "make test-jax     run the tests of losses, updates and devices on JAX (many minutes)"
	@echo "make test-ray     spread work over two Ray nodes on this machine (some minutes; pip install -e '.[mhmd,cluster]')"
	@echo "make test-browser press what people press in the page (minutes; pip install selenium, apt install chromium-driver)"
	@echo "make test-golden  compare networks of full size with the released program (some minutes, 10 GB)"
	@echo "make test-formats read a generated matrix of files of all formats, depths, layouts and profiles (a minute)"
	@echo "make test-install install the project into a fresh environment and colorize with it (minutes, 3 GB of disk)"
	@echo "make lint         check the code's form"
	@echo "make bench        measure speed and memory (half an hour; make bench BENCH=--quick only sees that it runs)"
	@echo "make setup        only install what is needed, into $(VENV)"
	@echo "make clean        remove $(VENV)"

setup: $(READY)

$(READY): requirements.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' || \
	  { echo "error: $$($(PYTHON) --version) will not do: Python 3.11, 3.12 or 3.13 is needed; name one with make PYTHON=python3.12"; exit 2; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || \
	  { echo "error: Python's venv module is missing: apt install $$($(PYTHON) -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])')"; exit 2; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[dev]'
	@touch $@

demo: $(READY)
	$(BIN)/python Util/demo.py

demo-train: $(READY)
	$(BIN)/python Util/demo_train.py

web: $(READY)
	$(BIN)/historynet-web

mhmd-demo: $(READY)
	$(BIN)/python Util/mhmd_demo.py $(FILMS)

test: $(READY)
	$(BIN)/python -m pytest -n 2 --dist worksteal -m "not engines and not golden and not formats and not install and not ray and not browser"

test-engines: $(READY)
	$(BIN)/python -m pytest -m engines

test-browser: $(READY)
	$(BIN)/python -m pytest -m browser

test-jax: $(READY)
	KERAS_BACKEND=jax $(BIN)/python -m pytest -n 2 --dist worksteal $(JAX_TESTS)

test-ray: $(READY)
	$(BIN)/python -m pytest -m ray

# One process: two of these tests at a time would not fit into memory.
test-golden: $(READY)
	$(BIN)/python -m pytest -m golden

test-formats: $(READY)
	$(BIN)/python -m pytest -m formats

test-install: $(READY)
	$(BIN)/python -m pytest -m install

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

bench: $(READY)
	$(BIN)/python -m benchmarks.training $(BENCH)
	$(BIN)/python -m benchmarks.pipeline $(BENCH)
	$(BIN)/python -m benchmarks.colorizing $(BENCH)

clean:
	rm -rf $(VENV)
