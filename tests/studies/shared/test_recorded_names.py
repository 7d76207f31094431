"""Hashes and names under which studies are stored: those of folders that are there already."""

from importlib import import_module

import pytest

from ntkreg.studies.shared.config import config_hash, make_config

NETWORK = {"recipe": "cntk", "depth": 2}
IMAGES = {"data": "images.npz"}

RECORDED = {
    "quickstart": ("Quickstart", {}, "4d74ba788193"),
    "fit": ("Fit", IMAGES | {"architecture": NETWORK}, "4778e7b7ceea"),
    "few_samples": ("FewSamples", IMAGES | {"architecture": NETWORK}, "a4390eed2482"),
    "few_samples_compare": ("Comparison", {"kernels": {"a": "x", "b": "y"}}, "65719786c234"),
    "precision": ("Precision", IMAGES | {"networks": {"a": NETWORK}}, "105cc66cd3c4"),
    "few_samples_network": (
        "FewSamplesNetwork",
        IMAGES | {"architecture": NETWORK},
        "6668a7a12b07",
    ),
    "optimizers": ("Optimizers", IMAGES, "50ec48594b65"),
    "compare": ("Compare", {"data": "folder", "models": {"NTK": "ntk"}}, "e01cd0898a3b"),
    "complete": ("Complete", {"matrix": "low-rank"}, "5d274fc0ebed"),
    "landscape": ("Landscape", {"surface": "gaussian"}, "ccbdf0e3309c"),
    "widths": ("Widths", IMAGES | {"positive": [1], "architecture": NETWORK}, "ffaeb85ab2d5"),
}
"""Name in record.json, keys, and the beginning of the hash that ntkreg 0.1.0 gave them."""


@pytest.mark.parametrize("folder", RECORDED)
def test_a_study_keeps_the_name_and_the_hash_it_is_stored_under(folder):
    name, keys, begins = RECORDED[folder]
    module = import_module(f"ntkreg.studies.{folder}.config")
    (cls,) = (c for n, c in vars(module).items() if n.endswith("Config"))
    assert cls.recorded_as == name
    assert config_hash(make_config(cls, keys)).startswith(begins)
