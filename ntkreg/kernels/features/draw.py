"""`draw_features`: how wide each layer of random features is, and its random numbers."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from ntkreg.architecture import Activation, Architecture, Dense, Identity
from ntkreg.errors import PlanError, SpecError
from ntkreg.kernels.features.pointwise import pointwise
from ntkreg.kernels.features.projection import draw_projection
from ntkreg.kernels.features.random_features import Hidden, RandomFeatures
from ntkreg.machine import free_memory, readable

__all__ = ["draw_features"]


def draw_features(
    network: Architecture,
    n_inputs: int,
    *,
    n_components: int,
    get: str,
    seed: int,
    dtype: Any,
) -> RandomFeatures:
    """Draw random features of a network of dense layers and activations.

    Parameters
    ----------
    network : Architecture
    n_inputs : int
        Of one input.
    n_components : int
        Features, at most. Of a network without activations, whose features are exact, there are
        no more than inputs (and biases), however many are asked for.
    get : {"ntk", "nngp"}
    seed : int
    dtype : float32 or float64

    Returns
    -------
    RandomFeatures

    Raises
    ------
    SpecError
        Other layers; an NTK that is zero, as nothing is trained.

    References
    ----------
    Zandieh et al. 2021 (arXiv 2106.07880), algorithm 2.
    """
    tangents = get == "ntk"
    layers = _checked(network, tangents)
    hidden, tangent = _widths(layers, n_components, tangents)
    dtype = np.dtype(dtype)
    # The first layer's weights and the square ones after it; projections are a few numbers a unit.
    n_layers = sum(isinstance(layer, Activation) for layer in layers)
    needed = dtype.itemsize * hidden * (n_inputs + max(n_layers - 1, 0) * hidden)
    free = free_memory()
    if free is not None and needed > free:
        raise PlanError(
            f"n_components={n_components} needs {readable(needed)} of random weights, and "
            f"{readable(free)} are free. Ask for fewer components."
        )
    rng = np.random.default_rng(seed)
    steps: list[Dense | Hidden] = []
    f, g = n_inputs, 0
    for layer in layers:
        if isinstance(layer, Dense):
            f += layer.bias_std > 0
            g += f if layer.trainable and tangents else 0
            steps.append(layer)
        else:
            weights = rng.standard_normal((f, hidden), dtype)
            projection = draw_projection(g, tangent, rng, dtype) if g else None
            steps.append(Hidden(layer, weights, projection))
            f, g = hidden, tangent if g else 0
    found = g if tangents else f
    # More only where one of each kind is too much, or of exact ones.
    last = draw_projection(found, n_components, rng, dtype) if found > n_components else None
    return RandomFeatures(tuple(steps), last, n_inputs, min(found, n_components), tangents, dtype)


def _checked(network: Architecture, tangents: bool) -> list[Any]:
    """Return the layers, identities left out, after checking that each has features."""
    layers = [layer for layer in network.layers if not isinstance(layer, Identity)]
    for layer in layers:
        if isinstance(layer, Activation):
            pointwise(layer)
        elif not isinstance(layer, Dense):
            raise SpecError(
                f"{layer!r} has no random features: they are for dense layers and activations. Use "
                "NTKNystroem, which takes every network."
            )
    if tangents and not any(isinstance(layer, Dense) and layer.trainable for layer in layers):
        raise SpecError(f'The NTK of {network!r} is zero, as no layer is trained. Use get="nngp".')
    return layers


def _widths(layers: Sequence[Any], n_components: int, tangents: bool) -> tuple[int, int]:
    """Return how many units every hidden layer has, and how many tangent features.

    After the last activation every trained dense layer appends one copy of its features.
    """
    after = next((i for i, x in enumerate(reversed(layers)) if isinstance(x, Activation)), None)
    if after is None:
        return 0, 0
    before, tail = layers[: len(layers) - after], layers[len(layers) - after :]
    copies = ones = biases = 0
    for layer in tail:
        biases += layer.bias_std > 0
        copies += layer.trainable and tangents
        ones += biases if layer.trainable and tangents else 0
    if not tangents:
        copies, ones = 1, biases
    alive = tangents and any(isinstance(x, Dense) and x.trainable for x in before)
    left = max(n_components - ones, copies + alive)
    if not alive:
        return left // copies, 0
    if not copies:
        return left, left
    hidden = max(1, left // (2 * copies))
    return hidden, left - copies * hidden
