"""Sizes of images on their way through a network, and where windows lie.

Along an axis of n pixels, output pixel o of a convolution or pooling sees the input pixels
``o * stride - window_origin(...) + a`` for a = 0..window-1; those outside 0..n-1 are zeros
("SAME"), wrap around ("CIRCULAR") or do not occur ("VALID").
"""

from collections.abc import Iterable

from ntkreg.architecture.base import Layer
from ntkreg.architecture.layers import AvgPool, Conv, Flatten, GlobalAvgPool
from ntkreg.architecture.residual import Residual
from ntkreg.errors import ShapeError

__all__ = ["Size", "output_size", "size_after", "window_count", "window_origin"]

Size = tuple[int, int]
"""Height and width in pixels."""


def window_count(size: int, window: int, stride: int, padding: str) -> int:
    """Return how many windows an axis of `size` pixels has; 0 if none fits."""
    if padding == "VALID":
        return max((size - window) // stride + 1, 0)
    return -(-size // stride)


def window_origin(size: int, window: int, stride: int, padding: str) -> int:
    """Return how many pixels before the image's first one the first window starts, as in XLA.

    "SAME" and "CIRCULAR" pad just enough for ceil(size / stride) windows, the odd pixel at
    the end. So with a stride the windows shift with the image's size: a 3 x 3 window of
    stride 2 starts one pixel early on 5 pixels and on the first one on 6.

    Examples
    --------
    >>> [window_origin(n, window=3, stride=2, padding="SAME") for n in (5, 6)]
    [1, 0]
    """
    if padding == "VALID":
        return 0
    missing = (window_count(size, window, stride, padding) - 1) * stride + window - size
    return max(missing, 0) // 2


def output_size(layer: Layer, size: Size, where: str = "") -> Size:
    """Return the size of the image that `layer` gives.

    Parameters
    ----------
    layer : Layer
        Flatten, global pooling and layers on vectors give (1, 1).
    size : (int, int)
        Height and width of the image it reads.
    where : str
        What to call the layer's place in errors, e.g. ``"layer 3, "``.

    Raises
    ------
    ShapeError
        If no window fits, or the branches of a residual block give different sizes.
    """
    h, w = size
    match layer:
        case Conv():
            out = tuple(window_count(n, layer.window, layer.stride, layer.padding) for n in (h, w))
        case AvgPool():
            out = h // layer.window, w // layer.window
        case Residual():
            return _residual_size(layer, size, where)
        case Flatten() | GlobalAvgPool():
            return 1, 1
        case _:
            return size
    if 0 in out:
        raise ShapeError(
            f"architecture: {where}{layer!r} leaves no pixels of an image of {h} x {w} pixels. "
            "Use larger images, or fewer or smaller windows."
        )
    return out[0], out[1]


def size_after(layers: Iterable[Layer], size: Size, where: str = "") -> Size:
    """Return the size after several layers; `where` stands before each one's number."""
    for i, layer in enumerate(layers):
        size = output_size(layer, size, f"{where}layer {i}, ")
    return size


def _residual_size(layer: Residual, size: Size, where: str) -> Size:
    body = size_after(layer.body, size, f"{where}body ")
    shortcut = size_after(layer.shortcut, size, f"{where}shortcut ")
    if body != shortcut:
        raise ShapeError(
            f"architecture: {where}Residual: of an image of {size[0]} x {size[1]} pixels the body "
            f"gives {body[0]} x {body[1]}, the shortcut {shortcut[0]} x {shortcut[1]}. Give the "
            "shortcut a Conv or AvgPool that changes sizes as the body does."
        )
    return body
