"""The loss surface of networks of finite width: curvature, sharpness, slices, paths, basins.

A side wing: it imports `data`, `architecture` and `finite`. Importing this package loads no JAX;
its names do when first used. Measures that are undefined for a network (the direction of a zero
gradient) are masked there: `numpy.ma.MaskedArray`, never NaN.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ntkreg.landscape.critical import Criticality as Criticality
    from ntkreg.landscape.critical import criticality as criticality
    from ntkreg.landscape.critical import layer_gradient_norms as layer_gradient_norms
        filter_normalized_directions as filter_normalized_directions,
    )
    from ntkreg.landscape.gauss_newton import GaussNewton as GaussNewton
    from ntkreg.landscape.hessian import Hessian as Hessian
    from ntkreg.landscape.krylov import Ritz as Ritz
    from ntkreg.landscape.krylov import lanczos as lanczos
    from ntkreg.landscape.operator import Operator as Operator
    from ntkreg.landscape.signature import Inertia as Inertia
    from ntkreg.landscape.signature import inertia as inertia
    from ntkreg.landscape.spectrum import Density as Density
    from ntkreg.landscape.spectrum import Extremes as Extremes
    from ntkreg.landscape.spectrum import extreme_eigenvalues as extreme_eigenvalues
    from ntkreg.landscape.spectrum import spectral_density as spectral_density
    from ntkreg.landscape.surface import LossSurface as LossSurface
    from ntkreg.landscape.traces import Trace as Trace
    from ntkreg.landscape.traces import trace as trace

_HOME = {
    "Criticality": "critical",
    "Density": "spectrum",
    "Extremes": "spectrum",
    "GaussNewton": "gauss_newton",
    "Hessian": "hessian",
    "Inertia": "signature",
    "LossSurface": "surface",
    "Operator": "operator",
    "Ritz": "krylov",
    "Trace": "traces",
    "criticality": "critical",
    "extreme_eigenvalues": "spectrum",
    "inertia": "signature",
    "lanczos": "krylov",
    "layer_gradient_norms": "critical",
    "spectral_density": "spectrum",
    "trace": "traces",
}

__all__ = sorted(_HOME)


def __getattr__(name: str) -> Any:
    if name in _HOME:
        return getattr(importlib.import_module(f"ntkreg.landscape.{_HOME[name]}"), name)
    raise AttributeError(f"module 'ntkreg.landscape' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
