"""`Architecture`: a checked, hashable sequence of layers."""

import hashlib
import inspect
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any

from ntkreg.architecture.layers import (
    Conv,
    Dense,
    Flatten,
    GlobalAvgPool,
    Layer,
    LocalAvgPool,
    Relu,
)
from ntkreg.errors import SpecError

__all__ = ["Architecture"]


@dataclass(frozen=True)
class Architecture:
    """A network of infinite width, as data.

    Equality and hash are those of the layers: two recipes that give the same layers
    are the same network.

    Parameters
    ----------
    layers : tuple of Layer
        From the input on. Checked on construction.

    Attributes
    ----------
    recipe : str or None
        Name of the recipe that made it (``"cntk"``, ``"fully_connected"``, ...).
    arguments : tuple of (str, value)
        The recipe's arguments, kept so that they can be searched over and saved.

    Raises
    ------
    SpecError
        If a layer cannot stand where it stands; names the position and the reason.

    Examples
    --------
    >>> from ntkreg.architecture import Architecture, Conv, Dense, Flatten, Relu
    >>> Architecture((Conv(), Relu(), Flatten(), Dense(1.0))).reads
    'image'
    """

    layers: tuple[Layer, ...]
    recipe: str | None = field(default=None, compare=False)
    arguments: tuple[tuple[str, Any], ...] = field(default=(), compare=False)

    def __post_init__(self) -> None:
        if isinstance(self.layers, Layer):
            raise SpecError(f"Architecture: layers must be a sequence; got one {self.layers!r}.")
        try:
            object.__setattr__(self, "layers", tuple(self.layers))
        except TypeError:
            raise SpecError(
                f"Architecture: layers must be a sequence of layers; got {self.layers!r}."
            ) from None
        _check_sequence(self.layers)

    @property
    def reads(self) -> str:
        """``"image"`` if the input must be images (n, h, w, c), ``"vector"`` otherwise."""
        return _first_domain(self.layers)

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the layers: the same network has the same one in every process."""
        text = json.dumps([[type(s).__name__, asdict(s)] for s in self.layers], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()

    def replace(self, **arguments: Any) -> "Architecture":
        """Return the recipe's network with some arguments changed; this one stays as it is."""
        return _recipe_of(self)(**{**dict(self.arguments), **arguments})

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Return the recipe's arguments, so that scikit-learn sees ``architecture__depth``."""
        return dict(self.arguments)

    def set_params(self, **arguments: Any) -> "Architecture":
        """Return a changed copy (never changes this one, which estimators may share)."""
        return self.replace(**arguments) if arguments else self

    def __sklearn_clone__(self) -> "Architecture":
        return self  # immutable: a copy would be the same

    def __repr__(self) -> str:
        if self.recipe is not None:
            parameters = inspect.signature(_recipe_of(self)).parameters
            shown = (
                f"{name}={value!r}"
                for name, value in self.arguments
                if parameters[name].kind is not inspect.Parameter.KEYWORD_ONLY
                or value != parameters[name].default
            )
            return f"{self.recipe}({', '.join(shown)})"
        return f"Architecture({', '.join(map(repr, self.layers))})"


def _recipe_of(architecture: Architecture) -> Callable[..., Architecture]:
    # Recipes build architectures, so they are looked up late.
    from ntkreg.architecture.recipes import RECIPES

    if architecture.recipe is None:
        raise SpecError(
            "Architecture: only a recipe (cntk, fully_connected) has arguments to change; "
            "this network was given layer by layer. Build a new one instead."
        )
    return RECIPES[architecture.recipe]


def _first_domain(layers: tuple[Layer, ...]) -> str:
    return next((s.reads for s in layers if s.reads != "any"), "vector")


def _check_sequence(layers: tuple[Layer, ...]) -> None:
    """Walk the network once and raise at the first layer that cannot stand where it does."""
    if not layers:
        raise SpecError("Architecture: a network needs at least one layer; got none.")
    for i, layer in enumerate(layers):
        if not isinstance(layer, Layer):
            raise SpecError(f"Architecture: layer {i} must be a Layer; got {layer!r}.")
    domain = _first_domain(layers)
    gaussian = False
    for i, layer in enumerate(layers):
        where = f"Architecture: layer {i} of {len(layers)}, {layer!r},"
        if layer.reads not in ("any", domain):
            remedy = (
                "Put Flatten or GlobalAvgPool before it, or use Conv(window=1)"
                if domain == "image"
                else "Move it before the Flatten or GlobalAvgPool"
            )
            raise SpecError(f"{where} acts on a {layer.reads} but gets a {domain}. {remedy}.")
        if isinstance(layer, LocalAvgPool) and not (
            i + 1 < len(layers) and isinstance(layers[i + 1], Flatten)
        ):
            raise SpecError(f"{where} must be followed by Flatten (it is a read-out).")
        if isinstance(layer, Relu) and not gaussian:
            raise SpecError(
                f"{where} acts on values that are not Gaussian, for which its kernel does not "
                "hold. Put Dense or Conv before it (GlobalAvgPool may stand between)."
            )
        # Sums over infinitely many inputs make Gaussians; pooling keeps them so, Flatten
        # mixes pixels of different variance.
        pooled = gaussian and isinstance(layer, GlobalAvgPool)
        gaussian = pooled or isinstance(layer, Dense | Conv)
        domain = domain if layer.gives == "any" else layer.gives
    if domain == "image":
        raise SpecError(
            f"Architecture: the network ends in an image ({layers[-1]!r}). "
            "End it with Flatten or GlobalAvgPool, then Dense(weight_std=1.0)."
        )
