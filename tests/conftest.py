"""Hypothesis is seeded, so that a test that passes today passes tomorrow."""

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # as the command does

from pathlib import Path

import pytest
from hypothesis import settings

settings.register_profile("seeded", derandomize=True, deadline=None)
settings.load_profile("seeded")


@pytest.fixture
def shared() -> Path:
    """The folder of logs and traces that are not ours to ship; tests on it run where it is."""
    beside = Path(__file__).parents[2] / "shared"
    folder = Path(os.environ.get("CKPTSIM_SHARED", beside))
    if not folder.is_dir():
        pytest.skip(f"no folder {folder}")
    return folder
