"""`Filling`: how a kernel is computed, into a folder above all, where that is not as usual."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from ntkreg.errors import SpecError
from ntkreg.gram.client import check_client
from ntkreg.gram.shard import as_shard

__all__ = ["Filling"]


@dataclass(frozen=True)
class Filling:
    """What `ntkreg.compute_gram` may do with a folder, and what it leaves to others.

    Parameters
    ----------
    other_machine : bool
        Go on with what another machine has begun.
    extend : bool
        A folder with the Gram of the first rows, or columns, grows.
    shard : str or None
        Compute only this part, as "2/8", while other processes compute theirs; becomes a `Shard`.
    wait : bool
        Wait for another process that works on it, in place of an error.
    client : distributed.Client, str or None
        The cluster whose workers compute, or its address; None for threads here. Without a folder
        too.

    Raises
    ------
    SpecError
        One of them is something else.
    """

    other_machine: Any = False
    extend: Any = False
    shard: Any = None
    wait: bool = False
    client: Any = None

    def __post_init__(self) -> None:
        for name in ("other_machine", "extend"):
            value = getattr(self, name)
            if not isinstance(value, bool | np.bool_):
                raise SpecError(f"compute_gram: {name} must be a bool; got {value!r}.")
            object.__setattr__(self, name, bool(value))
        object.__setattr__(self, "shard", as_shard(self.shard))
        object.__setattr__(self, "client", check_client(self.client))

    def check_folder(self, folder: Any) -> None:
        """Raise where there is no folder, but something is said about one."""
        if folder is None and (self.extend or self.shard is not None or self.wait):
            raise SpecError(
                "compute_gram: extend and shard need a folder, which other calls and processes "
                'share; got folder=None. Pass folder="kernels/mine", or leave them out.'
            )
