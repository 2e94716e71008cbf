# Everything is done in an environment of the project's own: .venv, with locked versions.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: check-programs plan test lint types bench bench-pool reports docs linkcheck dist lock clean check-long
plan: .venv/ready  ## the main job: an interval from 1,442 lifetimes of real machines
	$(BIN)/ckptsim plan scenarios/gcp-preemptible.toml

test: lint types .venv/ready
	$(BIN)/pytest -n auto -m "not slow"

lint: .venv/ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: .venv/ready
	$(BIN)/mypy

check-long: .venv/ready  ## the slow tests; see tests/README.md for the last recorded result
	$(BIN)/pytest -n auto -m slow

check-programs: .venv/ready  ## real programs, wrapped, through 20 evictions; see tests/README.md
	$(BIN)/python tests/programs
	$(BIN)/python tests/programs/clock.py

bench: .venv/ready  ## speed, as ratios; writes reports/bench.md
	$(BIN)/python tests/bench

bench-pool: .venv/ready  ## what a pool of real processes costs; writes reports/bench-pool.md
	$(BIN)/python tests/bench_pool.py

reports: .venv/ready  ## remakes reports/ from scenarios/
	$(BIN)/python scenarios/make_reports.py

docs: .venv/ready  ## the docs site, to docs/_build/html/index.html; a warning is an error
	$(BIN)/sphinx-build -q -W --keep-going -b html docs docs/_build/html

linkcheck: .venv/ready  ## every link out of the docs (needs the network)
	$(BIN)/sphinx-build -q -b linkcheck docs docs/_build/linkcheck

gallery: .venv/ready  ## remakes reports/gallery/: every kind of picture, and its command
	$(BIN)/python scenarios/make_gallery.py

dist: .venv/ready
	$(BIN)/python -m build --no-isolation --outdir dist

lock: .venv/ready  ## after changing a dependency in pyproject.toml
	$(BIN)/pip install -q uv
	$(BIN)/uv pip compile -q --universal --python-version 3.11 --group dev --no-annotate --no-header pyproject.toml -o requirements.lock

.venv/ready: requirements.lock pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/pip install -q --disable-pip-version-check -r requirements.lock
	$(BIN)/pip install -q --disable-pip-version-check --no-deps --no-build-isolation -e .
	touch $@

clean:
	rm -rf .venv dist docs/_build .mypy_cache .ruff_cache .pytest_cache .hypothesis
