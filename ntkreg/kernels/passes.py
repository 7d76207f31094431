"""Several networks in as few passes as they need: which go together, and an engine of engines."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ntkreg.architecture import Architecture
from ntkreg.kernels.engine import Engine

__all__ = ["PassesEngine", "PassesInputs", "group_networks"]


def group_networks(
    networks: Sequence[Architecture], cost: Callable[[Sequence[Architecture]], float]
) -> list[list[int]]:
    """Return which networks to compute together: lists of their numbers, a pass each.

    From the costliest on, each network joins the pass to which it adds least, or has its own if
    that costs no more. Of networks that begin alike there are then as few passes as can be.

    Parameters
    ----------
    networks : sequence of Architecture
    cost : callable
        Work of one pass with these networks; infinite if they cannot share one.
    """
    alone = [cost([network]) for network in networks]
    passes: list[list[int]] = []
    costs: list[float] = []
    for k in sorted(range(len(networks)), key=lambda k: -alone[k]):
        best, added = len(passes), alone[k]
        for i, members in enumerate(passes):
            together = cost([networks[j] for j in (*members, k)])
            if together - costs[i] < added:
                best, added = i, together - costs[i]
        if best == len(passes):
            passes.append([])
            costs.append(0.0)
        passes[best].append(k)
        costs[best] += added
    return sorted(map(sorted, passes))


@dataclass(frozen=True, eq=False)
class PassesInputs:
    """Inputs as each engine prepared them; slices are their own kind."""

    parts: tuple[Any, ...]

    def __len__(self) -> int:
        return len(self.parts[0])

    def __getitem__(self, rows: slice) -> "PassesInputs":
        return PassesInputs(tuple(part[rows] for part in self.parts))


@dataclass(frozen=True)
class PassesEngine(Engine):
    """Networks that no one pass can compute: an engine for each pass, values put back in order.

    Cost of a value, and memory for tables: the sum over the passes.

    Attributes
    ----------
    engines : tuple of Engine
        Of the same inputs, dtype and fields.
    places : tuple of tuple of int
        For each engine where its networks stand among all of them.
    """

    NAME = "PassesEngine"

    engines: tuple[Engine, ...]
    places: tuple[tuple[int, ...], ...]

    @property
    def name(self) -> str:
        """Its own, and the engines'."""
        return f"{self.NAME}({', '.join(engine.name for engine in self.engines)})"

    @property
    def value_dtype(self) -> np.dtype:
        """That of all engines."""
        return self.engines[0].value_dtype

    @property
    def block(self) -> int:
        """The smallest of the engines', but full for each: time is the sum of theirs."""
        return max(min(engine.block for engine in self.engines), self.columns_at_once)

    @property
    def columns_at_once(self) -> int:
        """The most of any engine's."""
        return max(engine.columns_at_once for engine in self.engines)

    @property
    def rows_at_once(self) -> int:
        """The most of any engine's."""
        return max(engine.rows_at_once for engine in self.engines)

    def explain(self) -> str:
        """Say what each pass is for, and what its engine runs."""
        lines = [f"{len(self.engines)} passes, one after the other:"]
        for k, (engine, places) in enumerate(zip(self.engines, self.places, strict=True)):
            numbers = ", ".join(str(place + 1) for place in places)
            of = f"networks are variants {numbers}" if len(places) > 1 else f"variant {numbers}"
            lines += ["", f"Pass {k + 1} of {len(self.engines)}: {of}", engine.explain()]
        return "\n".join(lines)

    def prepare(self, X: np.ndarray) -> PassesInputs:
        """Prepare X with each engine."""
        return PassesInputs(tuple(engine.prepare(X) for engine in self.engines))

    def cross(self, X: Any, Z: Any) -> np.ndarray:
        """Values of all pairs."""
        x, z = self._prepared(X), self._prepared(Z)
        return self._in_order(
            [e.cross(a, b) for e, a, b in zip(self.engines, x.parts, z.parts, strict=True)]
        )

    def symmetric(self, X: Any) -> np.ndarray:
        """Values of all pairs within X."""
        parts = self._prepared(X).parts
        return self._in_order([e.symmetric(a) for e, a in zip(self.engines, parts, strict=True)])

    def diagonal(self, X: Any) -> np.ndarray:
        """Values of each input with itself."""
        parts = self._prepared(X).parts
        return self._in_order([e.diagonal(a) for e, a in zip(self.engines, parts, strict=True)])

    def _prepared(self, X: Any) -> PassesInputs:
        return X if isinstance(X, PassesInputs) else self.prepare(X)

    def _in_order(self, parts: Sequence[np.ndarray]) -> np.ndarray:
        shape = len(self.fields), self.n_variants, *parts[0].shape[2:]
        values = np.empty(shape, self.value_dtype)
        for places, part in zip(self.places, parts, strict=True):
            values[:, list(places)] = part
        return values
