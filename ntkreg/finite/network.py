"""`FiniteNetwork`: an `Architecture` with widths, as pure JAX functions."""

import hashlib
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from numbers import Integral
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import ntkreg.finite.activations  # noqa: F401  registers its rules
from ntkreg.architecture import Architecture, Conv, Dense, Residual
from ntkreg.architecture.recipe import check_frozen, uncalled_hint
from ntkreg.arrays import channels_first_hint, refuse_masked
from ntkreg.errors import ShapeError, SpecError
from ntkreg.finite.base import COPIES_DRAWN, Network, Params
from ntkreg.finite.blocks import Block, Plan, build_all
from ntkreg.finite.layers import weighted_layers
from ntkreg.finite.precision import check_dtype, precision
from ntkreg.finite.scaling import PARAMETRIZATIONS, Parametrization

__all__ = ["FiniteNetwork", "finite_network"]

_MOST = 2**31 - 1
"""Units of a layer, and numbers along an axis of an input: what 32 bits count."""

_NUMBERS = 2**27
"""Numbers that a layer of `predict` may hold at once, over all seeds (0.5 GiB in float32)."""


@dataclass(frozen=True)
class FiniteNetwork(Network):
    """A network of finite width; make one with `finite_network`.

    Its functions are pure and go through ``jax.jit``, ``jax.grad`` and, over seeds,
    ``jax.vmap``. Parameters are a tuple with one entry a layer: ``{"w": ..., "b": ...}``, or
    ``{}`` for layers without weights, or a pair of such tuples, body and shortcut, for
    residual blocks; ``w`` is (fan-in, fan-out) for dense layers and (window, window,
    channels in, channels out) for convolutions.

    Attributes
    ----------
    architecture : Architecture
    shape : tuple of int
        Of one input.
    widths : tuple of int
        Of every layer with weights, the read-out's last.
    parametrization : {"ntk", "standard", "mup"}
    """

    architecture: Architecture
    shape: tuple[int, ...]
    widths: tuple[int, ...]
    parametrization: Parametrization

    @cached_property
    def blocks(self) -> tuple[Block, ...]:
        """The layers made ready for inputs of this shape, in order."""
        plan = Plan(self.parametrization, self.widths)
        return build_all(self.architecture.layers, self.shape, False, plan)

    @property
    def layout(self) -> Params:
        """What is known of each array of weights or biases before it is drawn."""
        return tuple(b.parameters for b in self.blocks)

    @property
    def n_outputs(self) -> int:
        """Numbers that the network gives for one input."""
        return self.blocks[-1].shape[0]

    @property
    def trainable(self) -> Params:
        """True and False in the structure of the parameters: which ones training moves."""
        return jax.tree.map(lambda p: p.trainable, self.layout)

    @property
    def fingerprint(self) -> str:
        """SHA-256 of layers, input shape, widths and parametrisation."""
        parts = [self.architecture.fingerprint, self.shape, self.widths, self.parametrization]
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()

    @cached_property
    def _numbers_held(self) -> int:
        """Numbers of the largest layer for one input, with the windows of a convolution on it."""
        window = max(getattr(s, "window", 1) for s in weighted_layers(self.architecture.layers))
        outputs = jax.eval_shape(
            lambda: self.activations(self.init(0), jnp.zeros((1, *self.shape), np.float32))
        )
        return max(math.prod(layer.shape) for layer in outputs) * (window**2 + 1)

    def _rows_at_once(self, n_seeds: int) -> int:
        fit = _NUMBERS // (n_seeds * self._numbers_held)
        return max(1, min(super()._rows_at_once(n_seeds), fit))

    def __getstate__(self) -> dict[str, Any]:
        # Without what is cached: functions have no pickles.
        return {name: getattr(self, name) for name in self.__dataclass_fields__}

    def init(self, key: Any, dtype: Any = np.float32) -> Params:
        """Draw parameters.

        Parameters
        ----------
        key : int or JAX random key
        dtype : float32 or float64, default=float32
            float64 is switched on for this call only; computing with the result needs
            ``with jax.enable_x64(True)`` around it (`predict` sees to it).

        Returns
        -------
        tuple
            One entry a layer, see the class.

        Raises
        ------
        PlanError
            If the parameters cannot be held.
        """
        dtype = check_dtype("FiniteNetwork.init", dtype)
        self.check_memory("FiniteNetwork.init", 1, dtype, COPIES_DRAWN)
        with precision(dtype):
            if isinstance(key, Integral):
                key = jax.random.key(int(key))
            parameters, structure = jax.tree.flatten(self.layout)
            sizes = [math.prod(p.shape) for p in parameters]
            # One draw for all: compiled once, not once for each shape.
            drawn = jnp.split(
                jax.random.normal(key, (sum(sizes),), dtype), np.cumsum(sizes)[:-1].tolist()
            )
            return jax.tree.unflatten(
                structure,
                [
                    p.scale.init_std * z.reshape(p.shape)
                    for p, z in zip(parameters, drawn, strict=True)
                ],
            )

    def apply(self, params: Params, x: Any) -> jax.Array:
        """Return the outputs, (n, n_outputs), of inputs (n, *shape).

        Raises
        ------
        ShapeError
            If `x` is not (n, *shape).
        """
        return self.activations(params, x)[-1]

    def activations(self, params: Params, x: Any) -> tuple[jax.Array, ...]:
        """Return what every layer gives for inputs (n, *shape), the outputs last.

        Raises
        ------
        ShapeError
            If `x` is not (n, *shape).
        """
        refuse_masked("FiniteNetwork: x", x)
        x = jnp.asarray(x)
        if x.shape[1:] != self.shape or x.ndim != len(self.shape) + 1:
            wanted = ", ".join(map(str, ("n", *self.shape)))
            raise ShapeError(
                f"FiniteNetwork: inputs must be ({wanted}), as given to finite_network; "
                f"got {x.shape}.{channels_first_hint(x.shape[1:])}"
            )
        found = []
        for block, own in zip(self.blocks, params, strict=True):
            x = block.apply(own, x)
            found.append(x)
        return tuple(found)

    def rates(self, normalized: bool) -> Params:
        """Return what multiplies the learning rate of each parameter array.

        Parameters
        ----------
        normalized : bool
            Whether the optimiser normalises gradients (Adam, RMSProp, AdaGrad, Adadelta):
            `mup` then has rates by layer (`ntkreg.finite.scaling`). Otherwise all are 1.
        """
        return jax.tree.map(lambda p: p.scale.adam_rate if normalized else 1.0, self.layout)


def finite_network(
    architecture: Architecture,
    shape: Sequence[int],
    *,
    width: int | Sequence[int] = 512,
    n_outputs: int = 1,
    parametrization: Parametrization = "ntk",
) -> FiniteNetwork:
    r"""Return a network of finite width with the layers of an `Architecture`.

    In the NTK parametrisation a layer computes
    :math:`\sigma_w / \sqrt{n}\, x w + \sigma_b b` with standard normal w and b and fan-in n;
    as the width grows, its mean kernels tend to the analytic ones. `standard` draws the
    factors instead of multiplying with them. `mup` keeps features moving at any width; it
    has no such kernel limit.

    Parameters
    ----------
    architecture : Architecture
        Layers, weight_std, bias_std; layers with ``trainable=False`` stay as drawn.
    shape : tuple of int
        Of one input: (d,), or (h, w, c) for networks that read images.
    width : int or sequence of int, default=512
        Units or channels of the hidden layers: one number for all, or one for each layer
        with weights but the last, in order (of a residual block the body's, then the
        shortcut's).
    n_outputs : int, default=1
        Units of the last layer with weights.
    parametrization : {"ntk", "standard", "mup"}, default="ntk"
        See `ntkreg.finite.scaling` for multipliers, starts and learning rates.

    Returns
    -------
    FiniteNetwork

    Raises
    ------
    SpecError
        If widths, outputs or parametrisation make no sense, or no layer has weights.
    ShapeError
        If `shape` is none that the network reads or leaves no pixels, or the branches of a
        residual block get different widths.

    References
    ----------
    Jacot et al. 2018 (arXiv 1806.07572); Sohl-Dickstein et al. 2020 (arXiv 2001.07301);
    Yang and Hu 2021 (arXiv 2011.14522); Yang et al. 2022 (arXiv 2203.03466).

    Examples
    --------
    >>> from ntkreg import fully_connected
    >>> from ntkreg.finite import finite_network
    >>> network = finite_network(fully_connected(2), (5,), width=64, n_outputs=3)
    >>> params = network.init(0)
    >>> network.apply(params, [[1.0, 2.0, 3.0, 4.0, 5.0]]).shape
    (1, 3)
    """
    if not isinstance(architecture, Architecture):
        raise SpecError(
            "finite_network: architecture must be an Architecture (e.g. ntkreg.cntk(depth=5)); "
            f"got {architecture!r}.{uncalled_hint(architecture)}"
        )
    check_frozen([architecture])
    if parametrization not in PARAMETRIZATIONS:
        raise SpecError(
            f"finite_network: parametrization must be one of {', '.join(PARAMETRIZATIONS)}; "
            f"got {parametrization!r}."
        )
    n_weighted = sum(1 for _ in weighted_layers(architecture.layers))
    if n_weighted == 0:
        raise SpecError(
            f"finite_network: {architecture!r} has no layer with weights. Add a Dense layer."
        )
    last = [s for s in architecture.layers if isinstance(s, Dense | Conv | Residual)][-1]
    if isinstance(last, Residual):
        raise SpecError(
            "finite_network: the last weights are in a Residual block, which has no place for "
            "n_outputs. Add Dense(weight_std=1.0) at the end."
        )
    hidden = _widths(width, n_weighted - 1)
    outputs = _count("n_outputs", n_outputs)
    network = FiniteNetwork(
        architecture, _shape(architecture, shape), (*hidden, outputs), parametrization
    )
    network.n_outputs  # noqa: B018  builds every layer, so that errors come here
    return network


def _count(name: str, value: Any) -> int:
    if not isinstance(value, Integral) or isinstance(value, bool) or value < 1:
        raise SpecError(f"finite_network: {name} must be an integer >= 1; got {value!r}.")
    if int(value) > _MOST:
        raise SpecError(f"finite_network: {name} must be at most {_MOST:,}; got {value!r}.")
    return int(value)


def _widths(width: Any, n_hidden: int) -> tuple[int, ...]:
    if isinstance(width, Integral):
        return (_count("width", width),) * n_hidden
    if isinstance(width, str) or not isinstance(width, Sequence):
        raise SpecError(
            f"finite_network: width must be an integer or one for each hidden layer; got {width!r}."
        )
    if len(width) != n_hidden:
        raise SpecError(
            f"finite_network: width must have one number for each of the {n_hidden} hidden "
            f"layers with weights; got {len(width)}: {width!r}."
        )
    return tuple(_count(f"width[{i}]", w) for i, w in enumerate(width))


def _shape(architecture: Architecture, shape: Any) -> tuple[int, ...]:
    image = architecture.reads == "image"
    wanted = "(h, w, c), since the network reads images" if image else "(d,)"
    try:
        checked = tuple(int(s) for s in shape)
    except TypeError:
        checked = ()
    if len(checked) != (3 if image else 1) or min(checked) < 1 or max(checked) > _MOST:
        remedy = ""
        if not image and len(checked) == 3 and min(checked) > 0:
            remedy = f" Flatten the images and give ({math.prod(checked)},)."
        raise ShapeError(
            f"finite_network: shape is that of one input and must be {wanted}; "
            f"got {shape!r}.{remedy}"
        )
    architecture.check_shape(checked)
    return checked
