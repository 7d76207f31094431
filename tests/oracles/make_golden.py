"""Write golden_stax.npz or golden_layers.npz: python tests/oracles/make_golden.py stax|layers.

Takes about five minutes each.

Imports neural-tangents in its own way, so that a mistake in ntkreg's way cannot hide.
"""

import json
import sys
import types
import warnings
from importlib.metadata import version
from pathlib import Path

import jax
import jax.core
import jax.extend.core
import jax.interpreters.ad
import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

from oracles import golden, golden_layers
from oracles.layer_sums import layer_sums
from oracles.stax_oracle import stax_kernels


def load_neural_tangents():
    """Put the names that moved back where neural-tangents looks for them, in this process."""
    for name in ("Jaxpr", "JaxprEqn", "Literal", "Primitive", "Var"):
        setattr(jax.core, name, getattr(jax.extend.core, name))
    jax.interpreters.ad.zeros_like_p = jax.extend.core.Primitive("zeros_like")
    util = types.ModuleType("jax.util")
    util.safe_map = lambda f, *xs: list(map(f, *xs))
    util.safe_zip = lambda *xs: list(zip(*xs, strict=True))
    sys.modules["jax.util"] = util
    sys.modules["neural_tangents.experimental"] = types.ModuleType("neural_tangents.experimental")
    import neural_tangents

    return neural_tangents


def main(grid):
    """Compute every case and write the file."""
    warnings.filterwarnings("ignore", "`FanIn` layers assume independent inputs")
    neural_tangents = load_neural_tangents()
    rows = {"cross": [], "x": [], "z": [], "gap": []}
    for case in grid.CASES:
        X, Z = case.inputs()
        cross = np.array(stax_kernels(neural_tangents, case.network, X, Z))
        nngp, ntk, gap = layer_sums(case.network, np.concatenate([X, Z]))
        own = np.array([np.diag(nngp), np.diag(ntk)], float)
        rows["cross"].append(cross)
        rows["x"].append(own[:, : len(X)])
        rows["z"].append(own[:, len(X) :])
        rows["gap"].append(gap)
        # The two oracles must agree before their values are kept.
        ours = np.array([nngp, ntk], float)[:, : len(X), len(X) :]
        norm = np.sqrt(own[:, : len(X), None] * own[:, None, len(X) :])
        off = np.max(np.abs(ours - cross) / np.where(norm > 0, norm, 1))
        print(f"{case.name:60s} gap {gap:.1e} oracles apart {off:.1e}", flush=True)
        if off > (1e-10 if gap > 1e-3 else 1e-6):
            raise SystemExit("layer_sums and neural-tangents disagree")
    names = [case.name for case in grid.CASES]
    packages = ("neural-tangents", "jax", "jaxlib", "numpy")
    notes = {"names": names, "versions": {p: version(p) for p in packages}}
    np.savez_compressed(grid.FILE, notes=json.dumps(notes), **rows)


if __name__ == "__main__":
    main({"stax": golden, "layers": golden_layers}[sys.argv[1]])
