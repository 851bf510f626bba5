"""What the tests share: the program, and inputs."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[2]
sys.path[:0] = [str(HERE.parent), str(HERE)]
# Spark's Python workers import the package too.
os.environ["PYTHONPATH"] = os.pathsep.join([str(HERE.parent), str(HERE)])
os.environ["PYSPARK_PYTHON"] = sys.executable
PROGRAM = os.path.abspath(
    os.environ.get("PTDUMP_LINT") or ROOT / ".build/release/ptdump-lint")
# For misbehave, also in processes that Spark started before a test asked for it.
os.environ["REAL"] = PROGRAM


@pytest.fixture(scope="session")
def program() -> str:
    """The program that was built: PTDUMP_LINT, or the release build."""
    return PROGRAM


@pytest.fixture(scope="session")
def misbehave() -> str:
    """The same, misbehaving as an input's name says."""
    return str(HERE / "misbehave")


def sample(name: str) -> str:
    return str(ROOT / "samples" / name)
