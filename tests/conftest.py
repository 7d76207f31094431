"""Makes the helpers in tests/ (agreement, oracles) importable from every test."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture(scope="session")
def widths_config():
    """Settings of a study of a few seconds, with every kind of row but one hidden layer."""
    from ntkreg.studies.widths import WidthsConfig

    return WidthsConfig(
        "digits",
        (1, 3, 5, 7, 9),
        {"recipe": "fully_connected"},
        depths=(2,),
        widths=(8, 16, 32),
        n_seeds=(3,),
        n_starts=(5,),
        n_train=16,
        n_test=20,
        n_steps=8,
        rate=0.3,
    )


@pytest.fixture(scope="session")
def widths_folder(widths_config, tmp_path_factory):
    """Return the folder of that study, finished. Tests that change it take a copy."""
    from ntkreg.studies.widths import run_widths

    folder = tmp_path_factory.mktemp("widths")
    run_widths(widths_config, folder)
    return folder
