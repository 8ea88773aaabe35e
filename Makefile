# Everything a fresh machine with Python 3.11+ and make needs. `make demo` installs what the demo
# needs and no more; `make test` what the tests need.

PYTHON  ?= python3
VENV    := .venv
BIN     := $(VENV)/bin
PIP     := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt
MNIST   ?=
CASES   ?= 1000000
KILLS   ?= 300
MODULES ?=

.PHONY: demo test check bench against fuzz faults mutants format constraints clean

demo: $(VENV)/.demo
	$(BIN)/brimful demo $(if $(MNIST),--mnist $(MNIST))

test: check
	KERAS_BACKEND=tensorflow $(BIN)/python -m pytest -n 2
	KERAS_BACKEND=jax $(BIN)/python -m pytest -n 2 -m keras
	@if $(BIN)/python -c "import torch" 2>/dev/null; then \
		KERAS_BACKEND=torch $(BIN)/python -m pytest -n 2 -m keras; \
	else \
		echo "torch is not installed: its tests were left out (pip install torch brings them in)"; \
	fi

check: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --verbose

bench: $(VENV)/.dev .bench/peers
	$(BIN)/python -m benchmarks $(if $(MNIST),--mnist $(MNIST))

# This build beside another checkout: make against OTHER=../other NAMES="reading warm".
against: $(VENV)/.dev
	$(BIN)/python -m benchmarks.against $(OTHER) $(NAMES) $(if $(MNIST),--mnist $(MNIST))

# The libraries that brimful is compared with, in an environment of their own.
.bench/peers: | $(VENV)/.dev
	$(PIP) uv
	$(BIN)/uv venv --quiet $@
	$(BIN)/uv pip install --quiet --python $@/bin/python datasets mosaicml-streaming webdataset

# The number parser and the label tables against plain Python, a million cases.
fuzz: $(VENV)/.dev
	$(BIN)/python -m tests.fuzz --cases $(CASES)

# Kills, power losses, failing calls, flipped bits, cut files: all that can happen to a store or a training.
faults: $(VENV)/.dev
	$(BIN)/python -m tests.faults.campaign
	$(BIN)/python -m tests.resume.campaign --kills $(KILLS)

# One small fault at a time in the modules that everything rests on: docs/mutants.md.
mutants: $(VENV)/.dev
	$(PIP) cosmic-ray==8.7.0
	KERAS_BACKEND=tensorflow $(BIN)/python -m tests.mutants $(MODULES)

format: $(VENV)/.dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# Versions that were tested together, for every supported Python and platform.
constraints: $(VENV)/.dev
	$(PIP) uv
	echo "torch==2.13.0" > $(VENV)/torch.txt
	$(BIN)/uv pip compile --universal --quiet --upgrade --no-annotate --no-header --no-emit-index-url \
		--extra dev --extra jax --extra torch --constraint $(VENV)/torch.txt \
		--python-version 3.11 pyproject.toml --output-file constraints.txt

$(VENV)/bin/python:
	$(PYTHON) -c "import sys; sys.exit(sys.version_info < (3, 11) and 'brimful needs Python 3.11 or newer; set PYTHON=')"
	$(PYTHON) -m venv $(VENV)

$(VENV)/.demo: pyproject.toml constraints.txt | $(VENV)/bin/python
	@echo "Installing what the demo needs (about 1.5 GB on disk, a few minutes) ..."
	$(PIP) --editable ".[demo]"
	@touch $@

$(VENV)/.dev: pyproject.toml constraints.txt | $(VENV)/bin/python
	@echo "Installing what the tests need (about 2 GB on disk, a few minutes) ..."
	$(PIP) --editable ".[dev,jax]"
	@touch $@ $(VENV)/.demo

clean:
	rm -rf $(VENV) .bench brimful-demo build dist
