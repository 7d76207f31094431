"""Stored neural-tangents kernels of every layer: strides, paddings, poolings, residual
blocks, activations, recipes.

Written by make_golden.py, read by `golden.load(FILE)`. Never imports ntkreg.
"""

from itertools import cycle, product
from pathlib import Path

from oracles.golden import SQRT2, Case

FILE = Path(__file__).with_name("golden_layers.npz")

STRIDES, PADDINGS, WINDOWS = (1, 2, 3), ("SAME", "CIRCULAR", "VALID"), (1, 3, 5)
SIZES = ((7, 6), (8, 5))
READOUTS = ((("gap",),), (("flatten",),), (("lap", 1), ("flatten",)))
ACTIVATIONS = (
    ("relu",),
    ("leaky_relu", 0.2),
    ("leaky_relu", -1.0),
    ("erf",),
    ("gelu",),
    ("sin",),
    ("cos",),
    ("gaussian", 0.7),
    ("normalized_gaussian", 1.0),
    ("normalized_gaussian", 0.5),
    ("identity",),
)
RELU, LAST = ("relu",), ("dense", 1.0, 0.0, True)
FLATTEN, GAP = ("flatten",), ("gap",)


def conv(window=3, weight_std=SQRT2, bias_std=0.0, stride=1, padding="SAME"):
    """Return a trained convolution."""
    return ("conv", window, weight_std, bias_std, True, stride, padding)


def pool(window=2):
    """Return an average pooling."""
    return ("avgpool", window)


def residual(*body, shortcut=()):
    """Return the sum of two branches."""
    return ("residual", body, tuple(shortcut))


def _text(layer):
    return "".join(map(str, layer))


def _convolutions():
    """Every stride with every padding, window and size, first or second of two."""
    readouts = cycle(READOUTS)
    second = cycle((False, True, True))
    for stride, padding, window, (h, w) in product(STRIDES, PADDINGS, WINDOWS, SIZES):
        readout, plain = next(readouts), (conv(bias_std=0.2), RELU)
        tested = (conv(window, 1.3, 0.1, stride, padding), RELU)
        body = (*plain, *tested) if next(second) else (*tested, *plain)
        name = f"stride{stride} {padding} window{window} {readout[0][0]} {h}x{w}"
        if body[:2] == tested:
            name += " first"
        yield Case(name, (*body, *readout, LAST), (h, w, 3))


def _circular_over_edge():
    """Windows wider than the image wrap around more than once."""
    for window, (h, w) in product((3, 5), ((1, 4), (2, 3), (1, 1))):
        network = (conv(window, padding="CIRCULAR", bias_std=0.1), RELU, conv(), RELU, GAP, LAST)
        yield Case(f"circular window{window} {h}x{w}", network, (h, w, 3))


def _poolings():
    """Factors that divide the size and factors that leave pixels over."""
    bodies = {
        "after relu": lambda s: (conv(), RELU, pool(s), conv(bias_std=0.1), RELU),
        "after conv": lambda s: (conv(), pool(s), RELU, conv(), RELU),
        "of the input": lambda s: (pool(s), conv(), RELU),
        "last": lambda s: (conv(), RELU, pool(s)),
        "twice": lambda s: (conv(), RELU, pool(s), conv(), RELU, pool(2), conv(), RELU),
        "after stride": lambda s: (conv(stride=2, padding="CIRCULAR"), RELU, pool(s), conv(), RELU),
    }
    readouts = cycle(READOUTS)
    for (name, body), (factor, h, w) in product(
        bodies.items(), ((2, 8, 8), (2, 9, 7), (3, 8, 10), (4, 9, 8))
    ):
        readout = next(readouts)
        network = (*body(factor), *readout, LAST)
        if name == "after stride" and factor == 4:
            w += 1
        yield Case(f"pool{factor} {name} {readout[0][0]} {h}x{w}", network, (h, w, 2))


def _residuals():
    """Blocks with the identity, with projections, within one another, on vectors."""
    block = residual(RELU, conv(), RELU, conv())
    entry = conv(stride=2)
    narrow = conv(1, stride=2)
    networks = {
        "identity": (conv(), block, GAP, LAST),
        "identity, flatten": (conv(), block, FLATTEN, LAST),
        "identity, lap": (conv(), block, ("lap", 1), FLATTEN, LAST),
        "two blocks": (conv(), block, block, RELU, GAP, LAST),
        "bias": (conv(bias_std=0.3), residual(RELU, conv(bias_std=0.2)), RELU, GAP, LAST),
        "projected": (conv(), residual(RELU, conv(), shortcut=[conv(1)]), RELU, GAP, LAST),
        "projected input": (residual(conv(), shortcut=[conv(1, 1.1)]), RELU, GAP, LAST),
        "strided 3": (conv(), residual(RELU, entry, RELU, conv(), shortcut=[entry]), GAP, LAST),
        "strided 1": (conv(), residual(RELU, entry, RELU, conv(), shortcut=[narrow]), GAP, LAST),
        "circular": (
            conv(padding="CIRCULAR"),
            residual(RELU, conv(padding="CIRCULAR")),
            RELU,
            FLATTEN,
            LAST,
        ),
        "pooled": (
            conv(),
            residual(RELU, conv(), pool(2), shortcut=[pool(2)]),
            RELU,
            conv(),
            RELU,
            GAP,
            LAST,
        ),
        "strided and pooled": (
            conv(),
            residual(RELU, conv(stride=2), shortcut=[pool(2), conv(1)]),
            RELU,
            GAP,
            LAST,
        ),
        "nested": (conv(), residual(RELU, conv(), residual(RELU, conv())), RELU, GAP, LAST),
        "nested shortcut": (
            conv(),
            residual(RELU, conv(), shortcut=[residual(RELU, conv())]),
            RELU,
            GAP,
            LAST,
        ),
        "between poolings": (conv(), RELU, pool(2), conv(), block, RELU, pool(2), GAP, LAST),
        "after gap": (
            conv(),
            GAP,
            residual(RELU, ("dense", 1.2, 0.1, True)),
            RELU,
            LAST,
        ),
    }
    for name, network in networks.items():
        shape = (6, 8, 3) if "strided and" in name else (7, 6, 3)
        yield Case(f"residual {name}", network, shape)
    dense = ("dense", 1.2, 0.1, True)
    yield Case(
        "residual dense", (dense, residual(RELU, dense, RELU, dense), RELU, dense, LAST), (6,)
    )


def _activations():
    for phi in ACTIVATIONS:
        dense, wide = ("dense", 1.2, 0.1, True), conv(3, 1.2, 0.1)
        networks = {
            "dense1": (dense, phi, LAST),
            "dense3": (dense, phi, ("dense", 0.9, 0.0, True), phi, dense, phi, LAST),
            "conv gap": (wide, phi, conv(3, 1.1), phi, GAP, LAST),
            "conv flatten": (wide, phi, wide, phi, FLATTEN, LAST),
            "mixed": (wide, phi, conv(3, 1.1, 0.0, 2), RELU, pool(2), conv(), phi, GAP, LAST),
            "residual": (conv(3, 1.1), residual(phi, wide), phi, GAP, LAST),
            "tail": (wide, RELU, GAP, dense, phi, LAST),
        }
        for name, network in networks.items():
            shape = (7,) if name.startswith("dense") else (7, 8, 3)
            yield Case(f"{_text(phi)} {name}", network, shape)


def myrtle(blocks, phi=RELU, weight_std=SQRT2):
    """Return the layers of `ntkreg.myrtle`, from Shankar et al. 2020."""
    step = (conv(3, weight_std), phi)
    first, second, third = (step * n for n in blocks)
    return (*first, pool(2), *second, pool(2), *third, GAP, LAST)


def resnet(block_size, groups, weight_std=SQRT2):
    """Return the layers of `ntkreg.resnet`, from neural-tangents' README."""
    body = conv(3, weight_std)
    layers = [body]
    for group in range(groups):
        entry = conv(3, weight_std, stride=1 if group == 0 else 2)
        layers.append(residual(RELU, entry, RELU, body, shortcut=[entry]))
        layers += [residual(RELU, body, RELU, body)] * (block_size - 1)
    return (*layers, GAP, LAST)


RECIPES = {
    "myrtle5": myrtle((2, 1, 1)),
    "myrtle7": myrtle((2, 2, 2)),
    "myrtle10": myrtle((3, 3, 3)),
    "myrtle5 gaussian": myrtle((2, 1, 1), ("normalized_gaussian", 1.0)),
    "myrtle10 gaussian": myrtle((3, 3, 3), ("normalized_gaussian", 1.0)),
    "resnet1x3": resnet(1, 3),
    "resnet1x3 std1": resnet(1, 3, 1.0),
    "resnet4x1": resnet(4, 1),
    "cntk circular": (*((conv(padding="CIRCULAR"), RELU) * 3), GAP, LAST),
    "cntk valid": (*((conv(padding="VALID"), RELU) * 3), GAP, LAST),
    "cntk gelu": (*((conv(), ("gelu",)) * 3), ("lap", 2), FLATTEN, LAST),
}
"""What the recipes of these names build; tests/architecture holds them to it."""


def _recipes():
    for name, network in RECIPES.items():
        shape = (8, 7, 3) if "resnet" in name or "cntk" in name else (9, 8, 3)
        yield Case(name, network, shape)


CASES = (
    *_convolutions(),
    *_circular_over_edge(),
    *_poolings(),
    *_residuals(),
    *_activations(),
    *_recipes(),
)
