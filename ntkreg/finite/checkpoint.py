"""Training runs on disk: written whole or not at all, and never another run's."""

import json
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import jax
import numpy as np

from ntkreg.data import fingerprint_arrays, read_arrays
from ntkreg.documents import MOST_BYTES, parse_json
from ntkreg.errors import DataError, StoreMismatchError
from ntkreg.finite.base import Network, Params
from ntkreg.finite.observers import Observer
from ntkreg.finite.optimizers import Training
from ntkreg.storage import differences, write_arrays
from ntkreg.version import VERSION

__all__ = ["Checkpoint", "State", "describe_run"]

_FORMAT = "ntkreg training, 1"


@dataclass
class State:
    """Where a run stands.

    Attributes
    ----------
    step : int
        Steps done.
    trained, optimizer : pytree of arrays
        Stacked parameters that move, and what the optimiser keeps.
    observed : dict of str to list of array
        What each observer has given so far.
    """

    step: int
    trained: Params
    optimizer: Any
    observed: dict[str, list[np.ndarray]]


def describe_run(
    network: Network,
    training: Training,
    data: tuple[np.ndarray, np.ndarray, np.ndarray | None],
    seeds: np.ndarray,
    start: Params | None,
    observers: dict[str, Any],
    observe_at: tuple[int, ...],
) -> dict[str, Any]:
    """Return everything that determines the bits of a run, as plain JSON data."""
    given = "drawn from the seeds"
    if start is not None:
        given = fingerprint_arrays(*(np.asarray(leaf) for leaf in jax.tree.leaves(start)))
    settings = {**asdict(training), "options": dict(training.options)}
    return {
        "format": _FORMAT,
        "network": network.fingerprint,
        **settings,
        "data": fingerprint_arrays(*(part for part in data if part is not None)),
        "dtype": data[0].dtype.name,
        "seeds": seeds.tolist(),
        "params": given,
        "observers": {name: _fingerprint(o) for name, o in observers.items()},
        "observe_at": list(observe_at),
        "platform": jax.default_backend(),
        "versions": {
            "ntkreg": VERSION,
            **{name: version(name) for name in ("jax", "jaxlib", "optax", "numpy")},
        },
    }


class Checkpoint:
    """One file that holds a run as far as it has come.

    Parameters
    ----------
    path : path
        An .npz file, made if it is not there.
    config : dict
        From `describe_run`.
    """

    def __init__(self, path: str | Path, config: dict[str, Any]) -> None:
        self.path = Path(path)
        self.config = config

    def save(self, state: State) -> None:
        """Write the state; the file is the old one or the new one, whatever happens."""
        arrays: dict[str, Any] = {
            f"trained_{i}": leaf for i, leaf in enumerate(jax.tree.leaves(state.trained))
        }
        arrays |= {f"optimizer_{i}": v for i, v in enumerate(jax.tree.leaves(state.optimizer))}
        arrays |= {f"observed_{name}": np.array(v) for name, v in state.observed.items() if v}
        self.path.parent.mkdir(parents=True, exist_ok=True)
        arrays |= {"config": np.array(json.dumps(self.config)), "step": np.array(state.step)}
        write_arrays(self.path, arrays)

    def load(self, fresh: State) -> State | None:
        """Return the state in the file, or None if there is no file.

        Parameters
        ----------
        fresh : State
            Of the run before its first step, for the structure.

        Raises
        ------
        DataError
            If the file is damaged or no checkpoint.
        StoreMismatchError
            If it belongs to another run; names what differs.
        """
        if not self.path.exists():
            if self.path.is_symlink():
                raise DataError(
                    f"train: {self.path}: is a symbolic link that leads nowhere. It was left "
                    "alone. Give the file that it should lead to."
                )
            return None
        try:
            return self._load(fresh)
        except DataError as error:
            raise DataError(
                f"train: {error} Or delete this file, and the run starts again."
            ) from None

    def _load(self, fresh: State) -> State:
        stored = read_arrays(self.path, ("config", "step"), links=False)
        # Of every seed and observed step: as long as ours, or of another run.
        limit = max(MOST_BYTES, 2 * len(json.dumps(self.config)))
        config = parse_json(str(stored["config"]), str(self.path), limit=limit)
        if not isinstance(config, dict):
            raise DataError(f"{self.path}: is no checkpoint of a training run.")
        self._compare(config)
        leaves, structure = jax.tree.flatten((fresh.trained, fresh.optimizer))
        n_trained = len(jax.tree.leaves(fresh.trained))
        names = [
            f"trained_{i}" if i < n_trained else f"optimizer_{i - n_trained}"
            for i in range(len(leaves))
        ]
        optional = [f"observed_{name}" for name in fresh.observed]
        found = read_arrays(self.path, names, optional, links=False)
        step = stored["step"]
        if step.shape or step.dtype.kind != "i" or step < 0:
            raise DataError(f"{self.path}: step must be one integer >= 0.")
        for name, leaf in zip(names, leaves, strict=True):
            wanted = np.shape(leaf), np.asarray(leaf).dtype
            if (found[name].shape, found[name].dtype) != wanted:
                raise DataError(
                    f"{self.path}: {name} must be {wanted[1]} of shape {wanted[0]}; found "
                    f"{found[name].dtype} of shape {found[name].shape}."
                )
        trained, optimizer = jax.tree.unflatten(structure, [found[name] for name in names])
        observed = {name: list(found.get(f"observed_{name}", ())) for name in fresh.observed}
        return State(int(step), trained, optimizer, observed)

    def _compare(self, config: dict[str, Any]) -> None:
        lines = differences(config, self.config)
        if lines:
            raise StoreMismatchError(
                f"train: {self.path} is the checkpoint of another run. " + "; ".join(lines) + ". "
                "Ask for the same run, or give another file."
            )


def _fingerprint(observer: Any) -> str:
    if isinstance(observer, Observer):
        return observer.fingerprint
    return getattr(observer, "__qualname__", type(observer).__qualname__)
