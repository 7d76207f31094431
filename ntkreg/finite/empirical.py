"""Empirical kernels: what a network of finite width has in place of its NNGP and NTK.

Three ways to one matrix, each a `Method`: features of a block of inputs, and the product of two
blocks' features (`ntkreg/finite/empirical_*.py`).

========== ====================================== ==============================================
way        features                               product of two blocks
========== ====================================== ==============================================
jacobian   every gradient                         one matrix product a parameter array
products   the inputs                             forward derivatives of the left along gradients
                                                  of the right
structured what comes into a layer, what is       products of both; over pairs of positions for
           propagated back                        convolutions, or by their gradients where that
                                                  is cheaper
========== ====================================== ==============================================

Cotangents of all layers come from one backward pass: their shifts, added after each layer, have
them as gradients. `empirical_cost` counts operations and bytes of each way from the layers' sizes;
`empirical_plan` takes the quickest and the largest blocks within `max_memory`. Its rates only need
to rank the ways; ``scripts/bench_empirical.py`` holds them to that.
"""

import sys
from numbers import Integral
from typing import Any, Literal, NamedTuple

import numpy as np
from tqdm.auto import tqdm

from ntkreg.arrays import refuse_infinite
from ntkreg.errors import SpecError
from ntkreg.finite.base import Network, Params, dtype_of
from ntkreg.finite.empirical_method import OUTPUTS, Outputs, rows_per_input
from ntkreg.finite.empirical_plan import METHODS, Plan, make_plan
from ntkreg.finite.losses import check_inputs
from ntkreg.finite.memory import check_memory
from ntkreg.finite.precision import precision

__all__ = ["EmpiricalKernels", "empirical_kernels"]

_BAR_AFTER = 2.0
"""Seconds before a progress bar shows up."""


class EmpiricalKernels(NamedTuple):
    """Kernels of one draw of parameters.

    Attributes
    ----------
    nngp : array (n, m)
        Mean over outputs o of f_o(x) f_o(z); for the sum of outputs F, of F(x) F(z).
    ntk : array (n, m), or (n, m, n_outputs, n_outputs) for ``outputs="full"``
        Products of gradients.
    """

    nngp: np.ndarray
    ntk: np.ndarray


def empirical_kernels(
    network: Network,
    params: Params,
    x: Any,
    z: Any = None,
    *,
    outputs: Outputs = "trace",
    method: Literal["auto", "jacobian", "products", "structured"] = "auto",
    max_memory: int = 2**30,
    progress: bool | None = None,
) -> EmpiricalKernels:
    r"""Return the empirical kernels of one draw of parameters.

    :math:`\Theta_{oo'}(x, z) = \sum_\theta \partial_\theta f_o(x)\, \partial_\theta f_{o'}(z)`
    over trained parameters.

    Parameters
    ----------
    network : Network
    params : from ``network.init``
    x : array (n, *shape)
    z : array (m, *shape), default=None
        None for x.
    outputs : {"trace", "full", "sum"}, default="trace"
        The mean over equal outputs, every pair of outputs, or the kernel of the sum of
        outputs :math:`F = \sum_o f_o / \sqrt{n_{outputs}}` (same mean over draws as the
        trace, at the cost of one output).
    method : {"auto", "jacobian", "products", "structured"}, default="auto"
        Products of the gradients; forward derivatives along gradients; or layer by layer
        from activations and backpropagated cotangents (`FiniteNetwork` only). All give the
        same. "auto" takes the one that a count of operations and bytes says is quickest.
    max_memory : int, default=1 GiB
        Bytes for what is held besides parameters, inputs and result: inputs are taken in
        blocks that fit.
    progress : bool, default=None
        A bar over blocks: always, never, or (None) on a terminal or in a notebook after two
        seconds.

    Returns
    -------
    EmpiricalKernels
        NumPy arrays in the dtype of the parameters.

    Raises
    ------
    SpecError, ShapeError
        If an option is unknown, inputs do not fit the network, or values overflow.
    PlanError
        If `max_memory` is too little for one pair of inputs, or the result cannot be held.

    Notes
    -----
    Flops for n inputs with each other, o outputs, L dense layers of width W: Jacobians
    :math:`n^2 o^2 L W^2`, products :math:`2 n^2 o L W^2`, structured
    :math:`n^2 o^2 L W + n o L W^2`; the trace needs o in place of :math:`o^2`, the sum 1 in
    place of both. With z None only blocks on and above the diagonal are computed.

    References
    ----------
    Jacot et al. 2018 (arXiv 1806.07572), eq. 6; Novak et al. 2022 (arXiv 2206.08720);
    Mohamadi et al. 2023 (arXiv 2206.12543) for the sum of outputs.

    Examples
    --------
    >>> from ntkreg import fully_connected
    >>> from ntkreg.finite import empirical_kernels, finite_network
    >>> network = finite_network(fully_connected(2), (3,), width=64, n_outputs=5)
    >>> X = [[1.0, 0.0, 2.0], [0.5, 1.0, 0.0]]
    >>> empirical_kernels(network, network.init(0), X, outputs="full").ntk.shape
    (2, 2, 5, 5)
    """
    _check(network, outputs, method, max_memory)
    network.check_params("empirical_kernels", params)
    dtype = dtype_of(params)
    x = check_inputs("empirical_kernels", "x", network, x, dtype)
    z = None if z is None else check_inputs("empirical_kernels", "z", network, z, dtype)
    _check_result(network, outputs, len(x), len(x if z is None else z), dtype)
    source, own = network.same_gradients(params)
    plan = make_plan(
        source, outputs, method, len(x), None if z is None else len(z), dtype.itemsize, max_memory
    )
    f = network.predict(params, x)
    g = f if z is None else network.predict(params, z)
    if outputs == "sum":
        f, g = (h.sum(axis=1, keepdims=True) for h in (f, g))
    with precision(dtype):
        ntk = _in_blocks(plan, own, x, z, progress)
    if outputs == "full":
        o = network.n_outputs
        ntk = ntk.reshape(len(f), o, len(g), o).transpose(0, 2, 1, 3)
    with np.errstate(over="ignore", invalid="ignore"):
        nngp = f @ g.T / network.n_outputs
    for name, kernel in (("NNGP", nngp), ("NTK", ntk)):
        refuse_infinite(f"empirical_kernels: values of the {name}", kernel)
    return EmpiricalKernels(nngp, ntk)


def _check_result(network: Network, outputs: Outputs, n: int, m: int, dtype: np.dtype) -> None:
    k = rows_per_input(network, outputs)
    check_memory(
        "empirical_kernels",
        f"{k * n:,} x {k * m:,} values of the NTK ({dtype})",
        k * n * k * m * dtype.itemsize,
        "Give fewer inputs at a time" + (', or outputs="trace".' if outputs == "full" else "."),
    )


def _check(network: Any, outputs: Any, method: Any, max_memory: Any) -> None:
    if not isinstance(network, Network):
        raise SpecError(
            f"empirical_kernels: network must come from finite_network or linearize; got "
            f"{network!r}."
        )
    for name, value, known in (("outputs", outputs, OUTPUTS), ("method", method, METHODS)):
        choices = (*(("auto",) if name == "method" else ()), *known)
        if value not in choices:
            raise SpecError(
                f"empirical_kernels: {name} must be one of {', '.join(choices)}; got {value!r}."
            )
    if not isinstance(max_memory, Integral) or isinstance(max_memory, bool) or max_memory < 1:
        raise SpecError(
            f"empirical_kernels: max_memory must be a number of bytes >= 1; got {max_memory!r}."
        )


def _in_blocks(
    plan: Plan, params: Params, x: np.ndarray, z: np.ndarray | None, progress: bool | None
) -> np.ndarray:
    """Return the matrix of all pairs, block by block; the upper triangle if z is None."""
    method, r, c = plan.method, plan.blocks.rows, plan.blocks.columns
    k = rows_per_input(method.network, method.outputs)
    columns_of = x if z is None else z
    ends = len(x), len(columns_of)
    starts = range(0, ends[0], r), range(0, ends[1], c)
    matrix = np.empty((k * ends[0], k * ends[1]), x.dtype)
    tasks = [(i, j) for i in starts[0] for j in starts[1] if z is not None or i <= j]
    with _progress_bar(len(tasks), progress) as bar:
        at, left = None, None
        for i, j in tasks:
            if i != at:
                at, left = i, method.features(params, _block(x, i, r))
            same = z is None and i == j
            right = left if same else method.features(params, _block(columns_of, j, c))
            found = np.asarray(method.product(params, left, right))
            rows, columns = slice(k * i, k * (i + r)), slice(k * j, k * (j + c))
            here = matrix[rows, columns]
            here[:] = found[: len(here), : here.shape[1]]
            if z is None and not same:
                matrix[columns, rows] = here.T
            bar.update()
    return matrix


def _block(x: np.ndarray, start: int, size: int) -> np.ndarray:
    """Return `size` inputs; the last one again where there are no more, to keep the shape."""
    part = x[start : start + size]
    missing = size - len(part)
    return np.concatenate([part, np.repeat(part[-1:], missing, axis=0)]) if missing else part


def _progress_bar(total: int, progress: bool | None) -> Any:
    # A notebook's stderr is no terminal, yet shows bars; a log file would fill with them.
    disable = None if progress is None and "ipykernel" not in sys.modules else progress is False
    return tqdm(
        total=total,
        unit="block",
        disable=disable,
        delay=0.0 if progress else _BAR_AFTER,
        leave=bool(progress),
        desc="empirical kernel",
    )
