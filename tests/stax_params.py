"""Finite networks in stax's words, for tests: the twin and the parameters carried over."""

import functools
import types

import jax

from ntkreg.kernels import import_neural_tangents
from ntkreg.kernels.stax import twin


def twin_apply(monkeypatch, network):
    """Return (init_fn, apply_fn) of the stax twin in the network's own parametrisation."""
    with monkeypatch.context() as patch:
        if network.parametrization == "standard":
            nt = import_neural_tangents()
            stax = types.SimpleNamespace(**vars(nt.stax))
            stax.Dense = functools.partial(nt.stax.Dense, parameterization="standard")
            stax.Conv = functools.partial(nt.stax.Conv, parameterization="standard")
            fake = types.SimpleNamespace(stax=stax)
            patch.setattr(twin, "import_neural_tangents", lambda: fake)
        hidden = set(network.widths[:-1]) or {1}
        assert len(hidden) == 1, "a stax twin has one width"
        init_fn, apply_fn, _ = twin.to_stax(
            network.architecture, width=hidden.pop(), n_outputs=network.n_outputs
        )
    return init_fn, apply_fn


def as_stax(params, template):
    """Return our parameters in the structure of stax's; weights before biases, in order."""
    ours = [p[name] for p in _owners(params) for name in ("w", "b") if name in p]
    theirs, structure = jax.tree.flatten(template)
    assert len(ours) == len(theirs)
    assert [p.size for p in ours] == [p.size for p in theirs]
    return jax.tree.unflatten(
        structure, [p.reshape(q.shape) for p, q in zip(ours, theirs, strict=True)]
    )


def _owners(params):
    """Yield every dictionary of weights, in the order of the layers."""
    if isinstance(params, dict):
        if "w" in params:
            yield params
        params = params.values()
    for inner in params:
        if isinstance(inner, dict | tuple):
            yield from _owners(inner)
