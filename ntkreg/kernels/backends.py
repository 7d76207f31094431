"""The register of backends: what can compute the pairs of images, by the names that users write.

A backend is a folder beside this file with a class of `ntkreg.kernels.image.pairs.ImagePairs`, and
a line in `BACKENDS`.
"""

import importlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ntkreg.errors import BackendError

if TYPE_CHECKING:
    from ntkreg.kernels.image.pairs import ImagePairs

__all__ = ["BACKENDS", "Backend", "load_backend"]


@dataclass(frozen=True)
class Backend:
    """Where a backend's pairs of images are, imported when they are asked for and not before.

    Attributes
    ----------
    pairs : str
        "module:class" of the `ImagePairs`.
    needs : str
        Package that the module imports; "" if there is none that may be missing.
    install : str
        What pip installs it by.
    """

    pairs: str
    needs: str = ""
    install: str = ""


BACKENDS: dict[str | None, Backend] = {
    None: Backend("ntkreg.kernels.image.compiled_pairs:CompiledPairs"),
    "jax": Backend("ntkreg.kernels.image_jax.pairs:JaxPairs", needs="jax", install="jax>=0.8"),
    # Without CuPy and a card it still explains what would run.
    "cuda": Backend("ntkreg.kernels.image_cuda.pairs:CudaPairs"),
}
"""Every choice of `backend=`; None is the fastest on a CPU."""


def load_backend(name: str | None) -> "type[ImagePairs]":
    """Return the class of `ImagePairs` of a registered backend.

    Raises
    ------
    BackendError
        If the package that it needs cannot be imported; says what to install.
    """
    backend = BACKENDS[name]
    if backend.needs:
        try:
            importlib.import_module(backend.needs)
        except ImportError as error:
            raise BackendError(
                f'backend="{name}" needs the package {backend.needs}, which cannot be imported '
                f'({error}). Install it with: pip install "{backend.install}".'
            ) from error
    module, _, pairs = backend.pairs.partition(":")
    return getattr(importlib.import_module(module), pairs)
