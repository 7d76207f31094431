"""What the literature says of loss surfaces: statements that the study judges, in words."""

from typing import NamedTuple

__all__ = ["STATEMENTS", "Statement"]


class Statement(NamedTuple):
    """A statement and where it comes from; `words` begin the section of the page."""

    words: str
    source: str


STATEMENTS = {
    "rank": Statement(
        "Features have full rank as soon as the last hidden layer has a unit for each point, and "
        "leave the read-out no residual",
        "Nguyen and Hein 2017 (1704.08045)",
    ),
    "kernel": Statement(
        "The largest curvature tends to the kernel's largest eigenvalue over the number of points",
        "Jacot et al. 2018 (1806.07572); Karakida et al. 2019 (1806.01316)",
    ),
    "negative": Statement(
        "Negative curvature vanishes with the residuals", "Sagun et al. 2018 (1706.04454)"
    ),
    "critical": Statement(
        "Where training usually stops the gradient has not vanished: such points are not critical",
        "Frye et al. 2021 (2003.10397)",
    ),
    "batches": Statement(
        "Interpolation is a minimum of every batch: batch gaps and gradient noise vanish, though "
        "they are large on the way",
        "Ma et al. 2018 (1712.06559)",
    ),
    "straight": Statement(
        "Straight lines between networks of different starts keep their barrier as width grows",
        "Frankle et al. 2020 (1912.05671); Entezari et al. 2022 (2110.06296)",
    ),
    "same start": Statement(
        "SGD from one start with batches in two orders ends in one basin, the more so the wider",
        "Frankle et al. 2020 (1912.05671)",
    ),
    "matched": Statement(
        "Modulo permutations and signs the barrier vanishes with width",
        "Entezari et al. 2022 (2110.06296); Ainsworth et al. 2023 (2209.04836)",
    ),
    "curve": Statement(
        "Minima are joined by curves of low loss, and the lower the wider",
        "Garipov et al. 2018 (1802.10026); Draxler et al. 2018 (1803.00885)",
    ),
    "depth": Statement(
        "Depth at equal width makes the surface rougher", "Li et al. 2018 (1712.09913)"
    ),
    "skip": Statement(
        "Skip connections lower the largest curvature of deep narrow networks",
        "Li et al. 2018 (1712.09913)",
    ),
    "test": Statement(
        "Test loss falls with width, and so does what perturbed weights make of it",
        "Neyshabur et al. 2018 (1805.12076)",
    ),
    "sharpness": Statement(
        "Sharper minima have higher test losses (no sign is expected: both are claimed)",
        "Keskar et al. 2017 (1609.04836); Dinh et al. 2017 (1703.04933)",
    ),
    "layers": Statement(
        "Late in training the last layer keeps more than its share of the gradient",
        "said of training by gradient descent; no theorem",
    ),
    "left out": Statement(
        "The minimum moves less when a point leaves, the wider the network",
        "stability: Bousquet and Elisseeff 2002 (JMLR 2); no theorem on width",
    ),
    "linear": Statement(
        "Linear networks without bottleneck reach least squares from every start but a saddle",
        "Kawaguchi 2016 (1605.07110); Laurent and von Brecht 2018 (1712.01473)",
    ),
    "conflicts": Statement(
        "Repeated inputs with other targets leave a loss above zero at any width",
        "the mean of their targets is the best answer",
    ),
    "wide layer": Statement(
        "One wide layer is enough, if it is the last hidden one",
        "Nguyen and Hein 2017 (1704.08045)",
    ),
    "basins": Statement("Flatter basins are hit more often", "Huang et al. 2020 (1906.03291)"),
    "subspace": Statement(
        "End points lie in fewer directions than their starts do",
        "Gur-Ari et al. 2018 (1812.04754)",
    ),
}
"""By the key in the column `statement`, in the order of the page."""
