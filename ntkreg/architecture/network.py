"""`Architecture`: a checked, hashable sequence of layers."""

import hashlib
import inspect
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from ntkreg.architecture.base import Layer
from ntkreg.architecture.checks import check_network, first_domain
from ntkreg.architecture.shapes import Size, size_after
from ntkreg.arrays import channels_first_hint
from ntkreg.errors import ShapeError, SpecError

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
        check_network(self.layers)

    @property
    def reads(self) -> str:
        """``"image"`` if the input must be images (n, h, w, c), ``"vector"`` otherwise."""
        return first_domain(self.layers)

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the layers: the same network has the same one in every process."""
        text = json.dumps(_plain(self.layers), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()

    def check_shape(self, shape: tuple[int, ...]) -> None:
        """Raise unless inputs of a shape can go through the network.

        Parameters
        ----------
        shape : tuple of int
            Of one input: (h, w, channels) for networks that read images; others take any.

        Raises
        ------
        ShapeError
            If a convolution or pooling leaves no pixels, or the branches of a residual
            block give images of different sizes; names the layer and the sizes.
        """
        if self.reads == "image":
            size: Size = (shape[0], shape[1])
            try:
                size_after(self.layers, size)
            except ShapeError as error:
                raise ShapeError(f"{error}{channels_first_hint(shape)}") from None

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
    from ntkreg.architecture.recipe import RECIPES

    if architecture.recipe is None:
        raise SpecError(
            f"Architecture: only a recipe ({', '.join(RECIPES)}) has arguments to change; "
            "this network was given layer by layer. Build a new one instead."
        )
    return RECIPES[architecture.recipe]


def _plain(layers: tuple[Layer, ...]) -> list[Any]:
    """Name and parameters of each layer as JSON data, nested layers included."""
    return [
        [
            type(layer).__name__,
            {
                name: _plain(value) if isinstance(value, tuple) else value
                for name, value in layer.parameters.items()
            },
        ]
        for layer in layers
    ]
