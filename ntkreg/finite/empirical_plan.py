"""Which way to an empirical NTK, and how many inputs at once within a memory bound."""

import math
from dataclasses import dataclass

from ntkreg.errors import PlanError, SpecError
from ntkreg.finite.base import Network
from ntkreg.finite.empirical_cost import Blocks, Cost, method_cost, orders
from ntkreg.finite.empirical_jacobian import JacobianContraction
from ntkreg.finite.empirical_method import Method, Outputs
from ntkreg.finite.empirical_products import VectorProducts
from ntkreg.finite.empirical_structured import LayerWise
from ntkreg.finite.network import FiniteNetwork

__all__ = ["METHODS", "Plan", "make_plan"]

METHODS: tuple[str, ...] = ("jacobian", "products", "structured")
"""Every way by name."""


@dataclass(frozen=True)
class Plan:
    """A way, and how the inputs are cut for it.

    Attributes
    ----------
    name : {"jacobian", "products", "structured"}
    method : Method
    blocks : Blocks
    seconds : float
        What it should take on one core. Only differences between ways matter.
    """

    name: str
    method: Method
    blocks: Blocks
    seconds: float


def make_plan(
    network: Network,
    outputs: Outputs,
    method: str,
    n: int,
    m: int | None,
    itemsize: int,
    max_memory: int,
) -> Plan:
    """Return the way asked for, or for ``"auto"`` the quickest that fits the memory.

    Parameters
    ----------
    n, m : int
        Inputs of the rows and the columns; m None where they are the same.

    Raises
    ------
    SpecError
        If the way asked for needs layers and the network shows none.
    PlanError
        If not even one input with one other fits.
    """
    possible = METHODS if isinstance(network, FiniteNetwork) else METHODS[:2]
    if method == "structured" and method not in possible:
        raise SpecError(
            'empirical_kernels: method="structured" needs the layers of a network from '
            f'finite_network; got {network!r}. Use method="auto".'
        )
    names = possible if method == "auto" else (method,)
    plans, least = [], math.inf
    for name in names:
        cost = method_cost(name, network, outputs, n, n if m is None else m, itemsize)
        least = min(least, _bytes(cost, Blocks(1, 1), itemsize))
        blocks = _fit(cost, n, m, itemsize, max_memory)
        if blocks is not None:
            plans.append((_seconds(cost, blocks, n, m), name, blocks))
    if not plans:
        raise PlanError(
            f"empirical_kernels: one input with another takes {math.ceil(least / 2**20)} MiB; "
            f"max_memory is {max_memory / 2**20:.4g} MiB. Raise max_memory."
        )
    seconds, name, blocks = min(plans, key=lambda plan: plan[0])
    return Plan(name, _make(name, network, outputs, n, m), blocks, seconds)


def _make(name: str, network: Network, outputs: Outputs, n: int, m: int | None) -> Method:
    if name == "structured":
        assert isinstance(network, FiniteNetwork)
        chosen = orders(network, outputs, n, n if m is None else m)
        return LayerWise(network, outputs, chosen)
    return (JacobianContraction if name == "jacobian" else VectorProducts)(network, outputs)


def _bytes(cost: Cost, blocks: Blocks, itemsize: int) -> float:
    """Return what is held at once besides parameters, inputs and the result."""
    r, c = blocks.rows, blocks.columns
    sides = c if cost.right_only else r + c
    return itemsize * (sides * cost.held + max(r, c) * cost.forming + r * c * cost.pair_held)


def _fit(cost: Cost, n: int, m: int | None, itemsize: int, bound: int) -> Blocks | None:
    """Return the largest blocks within the bound: few, of one size, square if symmetric."""
    blocks = Blocks(n, n if m is None else m)
    while _bytes(cost, blocks, itemsize) > bound:
        r, c = blocks.rows, blocks.columns
        if (r, c) == (1, 1):
            return None
        if m is None:
            blocks = Blocks(-(-r // 2), -(-r // 2))
        elif r >= c and not (cost.right_only and c > 1):
            blocks = Blocks(-(-r // 2), c)
        else:
            blocks = Blocks(r, -(-c // 2))
    return blocks


def _seconds(cost: Cost, blocks: Blocks, n: int, m: int | None) -> float:
    """Return what all blocks take; padded rows count."""
    r, c = blocks.rows, blocks.columns
    n_rows, n_columns = -(-n // r), -(-(n if m is None else m) // c)
    pairs = n_rows * (n_rows + 1) // 2 if m is None else n_rows * n_columns
    # Where rows and columns are the same block, its features serve for both.
    columns = pairs - n_rows if m is None and not cost.right_only else pairs
    rows = 0 if cost.right_only else n_rows
    return (rows * r + columns * c) * cost.form + pairs * (r * c * cost.pair + cost.call)
