"""Published figures that studies are held against, as data with their source."""

from dataclasses import dataclass

__all__ = [
    "CIFAR2_DEPTHS",
    "CIFAR2_SOURCE",
    "FEW_SAMPLES_CIFAR10",
    "FEW_SAMPLES_SOURCE",
    "FIRST_2000_CIFAR10",
    "FIRST_2000_SOURCE",
    "PublishedRow",
]

FEW_SAMPLES_SOURCE = "Arora et al. 2020, arXiv 1910.01663, CIFAR-10 table (20 draws)"

FIRST_2000_SOURCE = (
    "Arora et al. 2019, arXiv 1904.11955, Table 1: exact CNTKs on CIFAR-10, 2,000 training images "
    "(which ones is not said), 10,000 test images; depth less the read-out"
)

CIFAR2_SOURCE = (
    "Arora et al. 2019, arXiv 1904.11955, Table 2: exact CNTK-GAP on the first two classes of "
    "CIFAR-10, 10,000 training images; depth less the read-out"
)


@dataclass(frozen=True)
class PublishedRow:
    """One published accuracy.

    Attributes
    ----------
    label : str
        The paper's name of the method, e.g. "CNTK-14".
    depth : int or None
        The number in the label, or the hidden layers where the paper says what it counts;
        None for a method without one.
    n : int
        Training images.
    accuracy : float
        Mean over draws, percent.
    std : float or None
        Standard deviation over draws, points; None where we have no figure.
    n_draws : int
    """

    label: str
    depth: int | None
    n: int
    accuracy: float
    std: float | None
    n_draws: int = 20


# n: ResNet-34 mean, std; CNTK-5, -8, -11, -14 means; std of CNTK-14.
_TABLE = {
    10: (14.59, 1.99, 15.08, 15.24, 15.31, 15.33, 2.43),
    20: (17.50, 2.47, 18.03, 18.50, 18.69, 18.79, 2.13),
    40: (19.52, 1.39, 20.83, 21.07, 21.23, 21.34, 1.91),
    80: (23.32, 1.61, 24.82, 25.18, 25.40, 25.48, 1.91),
    160: (28.30, 1.38, 29.63, 30.17, 30.46, 30.48, 1.17),
    320: (33.15, 1.20, 35.26, 36.05, 36.44, 36.57, 0.88),
    640: (41.66, 1.09, 41.24, 42.10, 42.44, 42.63, 0.68),
}


def _few_samples() -> tuple[PublishedRow, ...]:
    rows = []
    for n, (resnet, resnet_std, c5, c8, c11, c14, c14_std) in _TABLE.items():
        rows.append(PublishedRow("ResNet-34", None, n, resnet, resnet_std))
        rows += [PublishedRow(f"CNTK-{d}", d, n, a, None) for d, a in ((5, c5), (8, c8), (11, c11))]
        rows.append(PublishedRow("CNTK-14", 14, n, c14, c14_std))
    return tuple(rows)


FEW_SAMPLES_CIFAR10: tuple[PublishedRow, ...] = _few_samples()
"""Test accuracy on CIFAR-10 from 10 to 640 training images (`FEW_SAMPLES_SOURCE`)."""

CIFAR2_DEPTHS: tuple[PublishedRow, ...] = tuple(
    PublishedRow(f"CNTK-GAP, depth {depth}", depth - 1, 10_000, accuracy, None, 1)
    for depth, accuracy in ((3, 71.05), (4, 94.50), (6, 95.25), (11, 95.40), (21, 95.70))
)
"""Test accuracy on the first two classes of CIFAR-10 by hidden layers (`CIFAR2_SOURCE`)."""

FIRST_2000_CIFAR10: dict[str, tuple[PublishedRow, ...]] = {
    readout: tuple(
        PublishedRow(f"{name}-2K, depth {depth}", depth - 1, 2_000, accuracy, None, 1)
        for depth, accuracy in zip((3, 4, 6, 11, 21), accuracies, strict=True)
    )
    for readout, name, accuracies in (
        ("flatten", "CNTK-V", (40.94, 42.54, 43.43, 43.42, 42.53)),
        ("gap", "CNTK-GAP", (49.71, 51.06, 51.73, 51.92, 52.22)),
    )
}
"""Test accuracy from 2,000 images, by read-out and hidden layers (`FIRST_2000_SOURCE`)."""
