"""Shared by all tests: where the data is, and what to say when it is not there."""

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """The folder of real data: $SZEM_DATA, else ../shared/data beside the checkout; skips where there is none."""
    folder = Path(os.environ.get("SZEM_DATA", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"needs the project's data, not found at {folder}; set SZEM_DATA to its folder")
    return folder
