"""The loss surface of networks of finite width: curvature, sharpness, slices, paths, basins.

A side wing: it imports `data`, `architecture` and `finite`. Importing this package loads no JAX;
its names do when first used. Measures that are undefined for a network (the direction of a zero
gradient) are masked there: `numpy.ma.MaskedArray`, never NaN.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ntkreg.landscape.basins import Basins as Basins
    from ntkreg.landscape.basins import find_basins as find_basins
    from ntkreg.landscape.batches import BatchLandscape as BatchLandscape
    from ntkreg.landscape.batches import batch_landscape as batch_landscape
    from ntkreg.landscape.box import box_sharpness as box_sharpness
    from ntkreg.landscape.conflicts import Floor as Floor
    from ntkreg.landscape.conflicts import loss_floor as loss_floor
    from ntkreg.landscape.critical import Criticality as Criticality
    from ntkreg.landscape.critical import criticality as criticality
    from ntkreg.landscape.critical import layer_gradient_norms as layer_gradient_norms
    from ntkreg.landscape.curves import find_curve as find_curve
    from ntkreg.landscape.directions import (
        filter_normalized_directions as filter_normalized_directions,
    )
    from ntkreg.landscape.directions import unit_directions as unit_directions
    from ntkreg.landscape.gauss_newton import GaussNewton as GaussNewton
    from ntkreg.landscape.hessian import Hessian as Hessian
    from ntkreg.landscape.krylov import Ritz as Ritz
    from ntkreg.landscape.krylov import lanczos as lanczos
    from ntkreg.landscape.last_layer import FeatureRank as FeatureRank
    from ntkreg.landscape.last_layer import feature_rank as feature_rank
    from ntkreg.landscape.last_layer import last_layer_residual as last_layer_residual
    from ntkreg.landscape.left_out import LeaveOneOut as LeaveOneOut
    from ntkreg.landscape.left_out import leave_one_out as leave_one_out
    from ntkreg.landscape.levels import Level as Level
    from ntkreg.landscape.levels import ObserveLevels as ObserveLevels
    from ntkreg.landscape.matching import match as match
    from ntkreg.landscape.minimum import Polished as Polished
    from ntkreg.landscape.minimum import polish as polish
    from ntkreg.landscape.operator import Operator as Operator
    from ntkreg.landscape.paths import Barrier as Barrier
    from ntkreg.landscape.paths import Path as Path
    from ntkreg.landscape.paths import barrier as barrier
    from ntkreg.landscape.paths import straight as straight
    from ntkreg.landscape.perturbation import perturbed_losses as perturbed_losses
    from ntkreg.landscape.plateaus import escape_steps as escape_steps
    from ntkreg.landscape.plateaus import iterate_diameter as iterate_diameter
    from ntkreg.landscape.plateaus import plateau_lengths as plateau_lengths
    from ntkreg.landscape.sharpness import Sharpness as Sharpness
    from ntkreg.landscape.sharpness import average_sharpness as average_sharpness
    from ntkreg.landscape.sharpness import filter_sharpness as filter_sharpness
    from ntkreg.landscape.sharpness import sam_sharpness as sam_sharpness
    from ntkreg.landscape.signature import Inertia as Inertia
    from ntkreg.landscape.signature import inertia as inertia
    from ntkreg.landscape.slices import line as line
    from ntkreg.landscape.slices import plane as plane
    from ntkreg.landscape.spectrum import Density as Density
    from ntkreg.landscape.spectrum import Extremes as Extremes
    from ntkreg.landscape.spectrum import extreme_eigenvalues as extreme_eigenvalues
    from ntkreg.landscape.spectrum import spectral_density as spectral_density
    from ntkreg.landscape.subspace import SpreadShares as SpreadShares
    from ntkreg.landscape.subspace import spread_shares as spread_shares
    from ntkreg.landscape.surface import LossSurface as LossSurface
    from ntkreg.landscape.symmetry import Change as Change
    from ntkreg.landscape.symmetry import Symmetries as Symmetries
    from ntkreg.landscape.symmetry import apply_symmetry as apply_symmetry
    from ntkreg.landscape.symmetry import draw_symmetry as draw_symmetry
    from ntkreg.landscape.symmetry import symmetries_of as symmetries_of
    from ntkreg.landscape.traces import Trace as Trace
    from ntkreg.landscape.traces import trace as trace

_HOME = {
    "Barrier": "paths",
    "Basins": "basins",
    "BatchLandscape": "batches",
    "Change": "symmetry",
    "Criticality": "critical",
    "Density": "spectrum",
    "Extremes": "spectrum",
    "FeatureRank": "last_layer",
    "Floor": "conflicts",
    "GaussNewton": "gauss_newton",
    "Hessian": "hessian",
    "Inertia": "signature",
    "LeaveOneOut": "left_out",
    "Level": "levels",
    "LossSurface": "surface",
    "ObserveLevels": "levels",
    "Operator": "operator",
    "Path": "paths",
    "Polished": "minimum",
    "Ritz": "krylov",
    "Sharpness": "sharpness",
    "SpreadShares": "subspace",
    "Symmetries": "symmetry",
    "Trace": "traces",
    "apply_symmetry": "symmetry",
    "average_sharpness": "sharpness",
    "barrier": "paths",
    "batch_landscape": "batches",
    "box_sharpness": "box",
    "criticality": "critical",
    "draw_symmetry": "symmetry",
    "escape_steps": "plateaus",
    "extreme_eigenvalues": "spectrum",
    "feature_rank": "last_layer",
    "filter_normalized_directions": "directions",
    "filter_sharpness": "sharpness",
    "find_basins": "basins",
    "find_curve": "curves",
    "inertia": "signature",
    "iterate_diameter": "plateaus",
    "lanczos": "krylov",
    "last_layer_residual": "last_layer",
    "layer_gradient_norms": "critical",
    "leave_one_out": "left_out",
    "line": "slices",
    "loss_floor": "conflicts",
    "match": "matching",
    "perturbed_losses": "perturbation",
    "plane": "slices",
    "plateau_lengths": "plateaus",
    "polish": "minimum",
    "sam_sharpness": "sharpness",
    "spectral_density": "spectrum",
    "spread_shares": "subspace",
    "straight": "paths",
    "symmetries_of": "symmetry",
    "trace": "traces",
    "unit_directions": "directions",
}

__all__ = sorted(_HOME)


def __getattr__(name: str) -> Any:
    if name in _HOME:
        return getattr(importlib.import_module(f"ntkreg.landscape.{_HOME[name]}"), name)
    raise AttributeError(f"module 'ntkreg.landscape' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
