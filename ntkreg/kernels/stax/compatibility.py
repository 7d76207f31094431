"""The one file that knows how to import neural-tangents 0.6.5 on a current JAX.

neural-tangents is unmaintained since 2024: it asks ``jax.core``, ``jax.util`` and
``jax.interpreters.ad`` for names that have moved, and its ``experimental`` subpackage
imports tf2jax, hence TensorFlow. Here it gets to see a JAX of its own in which the old
names are back; JAX itself is not changed, and nothing happens before
`import_neural_tangents` is called.
"""

import contextlib
import importlib
import sys
import threading
import types
import warnings
from collections.abc import Callable, Iterator
from typing import Any

from ntkreg.errors import BackendError

__all__ = ["enable_x64", "import_jax", "import_neural_tangents"]

_LOCK = threading.Lock()

# Modules that neural-tangents imports from JAX lazily: loaded beforehand, so that they
# see JAX itself and not the stand-in.
_PRELOAD = (
    "jax.core",
    "jax.example_libraries.stax",
    "jax.experimental.ode",
    "jax.extend.core",
    "jax.extend.linear_util",
    "jax.interpreters.ad",
    "jax.numpy",
    "jax.scipy",
    "jax.scipy.special",
)


def import_jax() -> types.ModuleType:
    """Return the module ``jax``.

    Raises
    ------
    BackendError
        If JAX cannot be imported; says what to install.
    """
    try:
        return importlib.import_module("jax")
    except ImportError as error:
        raise BackendError(
            f"neural-tangents needs JAX, which cannot be imported ({error}). "
            'Install it with: pip install "jax>=0.8".'
        ) from error


@contextlib.contextmanager
def enable_x64(on: bool = True) -> Iterator[None]:
    """Let JAX compute in float64 (or keep to float32) inside a ``with``, in this thread only.

    Raises
    ------
    BackendError
        If JAX cannot be imported.
    """
    with import_jax().enable_x64(on):
        yield


def import_neural_tangents() -> types.ModuleType:
    """Import neural-tangents without TensorFlow and return it (``.stax``, ``.predict``, ...).

    After one call a plain ``import neural_tangents`` works as well, in the whole process.

    Returns
    -------
    module
        neural_tangents 0.6.5. Its ``experimental`` raises when used. Its
        structured-derivatives empirical NTK and ``max_learning_rate`` do not work on
        current JAX; ``stax`` kernels, ``predict``, Monte Carlo and Jacobian contraction do.

    Raises
    ------
    BackendError
        If JAX or neural-tangents is missing or fails to import; says what to install.

    Notes
    -----
    Takes a second or two the first time. Does not touch JAX's global 64-bit switch.

    References
    ----------
    Novak et al. 2020, Neural Tangents (arXiv 1912.02803).

    Examples
    --------
    >>> from ntkreg.kernels.stax.compatibility import import_neural_tangents
    >>> stax = import_neural_tangents().stax
    >>> init_fn, apply_fn, kernel_fn = stax.serial(stax.Dense(8), stax.Relu(), stax.Dense(1))
    """
    with _LOCK:
        loaded = sys.modules.get("neural_tangents")
        if loaded is not None and hasattr(loaded, "stax"):
            return loaded
        import_jax()
        try:
            return _import_with_stand_ins()
        except ImportError as error:
            raise BackendError(
                f"neural-tangents cannot be imported ({type(error).__name__}: {error}). "
                "Install it with: pip install neural-tangents==0.6.5."
            ) from error
        except AttributeError as error:
            raise BackendError(
                f"neural-tangents does not work with this JAX ({error}). Versions of JAX "
                "that are known to work are in the README; neural-tangents must be 0.6.5."
            ) from error


def _import_with_stand_ins() -> types.ModuleType:
    """Import neural-tangents while ``sys.modules`` shows it the stand-ins."""
    _forget_neural_tangents()
    stand_ins = _stand_ins()
    real = {name: sys.modules.get(name) for name in stand_ins}
    sys.modules.update(stand_ins)
    sys.modules["neural_tangents.experimental"] = _NoExperimental("neural_tangents.experimental")
    try:
        with warnings.catch_warnings():
            # Deprecations in a library that no one will change.
            warnings.simplefilter("ignore")
            return importlib.import_module("neural_tangents")
    except BaseException:
        _forget_neural_tangents()
        raise
    finally:
        for name, module in real.items():
            if module is None:
                del sys.modules[name]
            else:
                sys.modules[name] = module


def _forget_neural_tangents() -> None:
    """Drop what a failed import left behind, so that the next one starts afresh."""
    for name in [m for m in sys.modules if m.split(".")[0] == "neural_tangents"]:
        del sys.modules[name]


class _StandIn(types.ModuleType):
    """A module with some names of its own; every other name is the real module's."""

    def __init__(self, real: types.ModuleType, **names: Any) -> None:
        super().__init__(real.__name__)
        self.__path__ = getattr(real, "__path__", [])
        self.__spec__ = real.__spec__
        self._real = real
        self.__dict__.update(names)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)


class _NoExperimental(types.ModuleType):
    """In place of ``neural_tangents.experimental``, which is TensorFlow only."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        raise BackendError(
            f"neural_tangents.experimental.{name} needs TensorFlow and tf2jax, which ntkreg "
            "leaves out. Use neural_tangents.empirical_ntk_fn on JAX functions instead."
        )


def _stand_ins() -> dict[str, types.ModuleType]:
    """Return ``jax``, ``jax.core``, ``jax.interpreters.ad`` and ``jax.util`` as they once were."""
    for name in _PRELOAD:
        importlib.import_module(name)
    jax = sys.modules["jax"]
    extend = sys.modules["jax.extend.core"]
    moved = {n: getattr(extend, n) for n in ("Jaxpr", "JaxprEqn", "Literal", "Primitive", "Var")}
    core = _StandIn(sys.modules["jax.core"], **moved)
    # JAX no longer has this primitive, and no program can contain it: neural-tangents
    # only registers a rule under it.
    zeros_like = extend.Primitive("zeros_like")
    ad = _StandIn(sys.modules["jax.interpreters.ad"], zeros_like_p=zeros_like)
    util = types.ModuleType("jax.util")
    util.__dict__.update(safe_map=_safe_map, safe_zip=_safe_zip)
    interpreters = _StandIn(sys.modules["jax.interpreters"], ad=ad)
    return {
        "jax": _StandIn(jax, core=core, interpreters=interpreters, util=util),
        "jax.core": core,
        "jax.interpreters": interpreters,
        "jax.interpreters.ad": ad,
        "jax.util": util,
    }


def _safe_map(f: Callable[..., Any], *sequences: Any) -> list[Any]:
    """Map over sequences that must have the same length."""
    return [f(*items) for items in zip(*sequences, strict=True)]


def _safe_zip(*sequences: Any) -> list[tuple[Any, ...]]:
    return list(zip(*sequences, strict=True))
