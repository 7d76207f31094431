"""Saved models that somebody has tampered with."""

import hashlib
import json

import numpy as np


def replace_array(folder, entry, value):
    """Write another array into a model, with the hash that makes its files belong together."""
    with np.load(folder / "model.npz") as stored:
        arrays = {**stored, entry: value}
    np.savez(folder / "model.npz", **arrays)
    described = json.loads((folder / "model.json").read_text())
    content = (folder / "model.npz").read_bytes()
    described["sha256_of_arrays"] = hashlib.sha256(content).hexdigest()
    (folder / "model.json").write_text(json.dumps(described))
