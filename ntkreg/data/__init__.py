"""Data: load, check, standardise and draw; arrays that say where they come from.

The two transformers are loaded when first used: with them comes scikit-learn, which takes
seconds, and which reading and fingerprinting arrays need not wait for.
"""

import importlib
from typing import TYPE_CHECKING, Any

from ntkreg.data.archive import read_arrays
from ntkreg.data.cifar10 import load_cifar10
from ntkreg.data.csv import load_csv, load_tables
from ntkreg.data.digits import load_digits_images, load_digits_split
from ntkreg.data.downscale import downscale_images
from ntkreg.data.draws import balanced_draws
from ntkreg.data.idx import load_mnist, read_idx
from ntkreg.data.images import ImageData, Provenance, fingerprint_arrays
from ntkreg.data.npz import load_npz
from ntkreg.data.ratings import Ratings, load_ratings, most_rated
from ntkreg.data.sources import load_data, load_inputs

if TYPE_CHECKING:
    from ntkreg.data.standardize import ChannelStandardizer
    from ntkreg.data.zca import ZCAWhitener

__all__ = [
    "ChannelStandardizer",
    "ImageData",
    "Provenance",
    "Ratings",
    "ZCAWhitener",
    "balanced_draws",
    "downscale_images",
    "fingerprint_arrays",
    "load_cifar10",
    "load_csv",
    "load_data",
    "load_digits_images",
    "load_digits_split",
    "load_inputs",
    "load_mnist",
    "load_npz",
    "load_ratings",
    "load_tables",
    "most_rated",
    "read_arrays",
    "read_idx",
]

_TRANSFORMERS = {"ChannelStandardizer": "standardize", "ZCAWhitener": "zca"}


def __getattr__(name: str) -> Any:
    if name in _TRANSFORMERS:
        return getattr(importlib.import_module(f"ntkreg.data.{_TRANSFORMERS[name]}"), name)
    raise AttributeError(f"module 'ntkreg.data' has no attribute {name!r}")
