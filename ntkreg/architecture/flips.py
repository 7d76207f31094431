"""Which networks commute with the horizontal flip of images."""

from collections.abc import Iterable

from ntkreg.architecture.activations import Activation
from ntkreg.architecture.base import Layer
from ntkreg.architecture.layers import (
    AvgPool,
    Conv,
    Dense,
    Flatten,
    GlobalAvgPool,
    LocalAvgPool,
)
from ntkreg.architecture.network import Architecture
from ntkreg.architecture.residual import Residual
from ntkreg.architecture.shapes import Size, output_size, window_origin

__all__ = ["commutes_with_flip"]


def commutes_with_flip(architecture: Architecture, shape: tuple[int, ...]) -> bool:
    r"""Return whether every layer of a network treats left and right alike, on images of a shape.

    A layer commutes with the flip F of the width axis if its windows, mirrored, are its
    windows: then, as its weights have mirrored ones as probable as themselves, the fields of
    the flipped images are the flipped fields of the images, up to the read-out, which reads
    no direction. So

    .. math:: K(F x, F z) = K(x, z), \quad K(F x, z) = K(x, F z),

    for NNGP and NTK alike. Of the layers here,

    - a convolution does at stride 1; at stride s it depends on the n pixels of a row, as XLA
      puts an odd pixel of padding on the right: ``SAME`` and ``CIRCULAR`` do where
      (ceil(n / s) - 1) s + window - n is even and not negative (or windows see all pixels
      alike), ``VALID`` where no pixel is left over;
    - a pooling does where its window divides the width: the rest is dropped on the right;
    - a residual block does if both branches do;
    - activations, dense layers and the read-outs always do.

    Parameters
    ----------
    architecture : Architecture
        One that reads images.
    shape : (int, int, int)
        Of one image: (h, w, channels).

    Returns
    -------
    bool
        False also for layers that are not listed here. True is a proof; a network with
        False may still have such a kernel, e.g. if what a layer drops is constant.

    Examples
    --------
    >>> from ntkreg.architecture import Conv, Relu, cntk, commutes_with_flip
    >>> from ntkreg.architecture import Architecture, Flatten
    >>> commutes_with_flip(cntk(3), (8, 8, 3))
    True
    >>> strided = Architecture((Conv(stride=2), Relu(), Flatten()))
    >>> [commutes_with_flip(strided, (8, width, 3)) for width in (8, 9)]
    [False, True]
    """
    return _sequence_commutes(architecture.layers, (shape[0], shape[1]))


def _sequence_commutes(layers: Iterable[Layer], size: Size) -> bool:
    for layer in layers:
        if not _commutes(layer, size):
            return False
        size = output_size(layer, size)
    return True


def _commutes(layer: Layer, size: Size) -> bool:
    width = size[1]
    match layer:
        case Conv():
            windows = _windows(layer, size)
            mirrored = [sorted(width - 1 - p for p in window) for window in reversed(windows)]
            return windows == mirrored
        case AvgPool():
            return width % layer.window == 0
        case Residual():
            return all(_sequence_commutes(b, size) for b in (layer.body, layer.shortcut))
    return isinstance(layer, Activation | Dense | Flatten | GlobalAvgPool | LocalAvgPool)


def _windows(layer: Conv, size: Size) -> list[list[int]]:
    """Return the columns that each window sees, sorted, as often as it sees them."""
    width = size[1]
    before = window_origin(width, layer.window, layer.stride, layer.padding)
    windows = []
    for o in range(output_size(layer, size)[1]):
        seen = range(o * layer.stride - before, o * layer.stride - before + layer.window)
        if layer.padding == "CIRCULAR":
            windows.append(sorted(p % width for p in seen))
        else:
            windows.append([p for p in seen if 0 <= p < width])
    return windows
