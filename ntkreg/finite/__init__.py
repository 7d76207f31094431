"""Networks of finite width from the same `Architecture`: draw, train, linearise.

Importing this package loads no JAX; its names do when first used.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ntkreg.finite.network import FiniteNetwork as FiniteNetwork
    from ntkreg.finite.network import finite_network as finite_network

_HOME = {
    "FiniteNetwork": "network",
    "finite_network": "network",
}

__all__ = sorted(_HOME)


def __getattr__(name: str) -> Any:
    if name in _HOME:
        return getattr(importlib.import_module(f"ntkreg.finite.{_HOME[name]}"), name)
    raise AttributeError(f"module 'ntkreg.finite' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
