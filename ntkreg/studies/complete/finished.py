"""What the finished pieces of a completion study depend on."""

from pathlib import Path

from ntkreg import __version__
from ntkreg.studies.complete.task import Task
from ntkreg.studies.shared.pieces import Pieces

__all__ = ["finished_of"]


def finished_of(folder: Path, task: Task) -> Pieces:
    """Return what is done already in a study's folder."""
    config = task.config
    common = {
        "version": __version__, "matrix": task.sha256, "size": config.size,
        "held_out": config.held_out, "bounds": config.bounds, "tol": config.tol,
        "max_steps": config.max_steps, "seed": config.seed, "scale": config.init_scales[0],
        "reference": [config.reference_rank, task.reference_seen],
    }  # fmt: skip
    return Pieces("complete", folder, common)
