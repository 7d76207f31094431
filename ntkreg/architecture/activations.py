r"""Activations as layers: what they compute, and the dual of each in its docstring.

An activation :math:`\phi` acts on Gaussians (u, v) with variances q, q' and covariance S.
Its dual maps the NNGP to :math:`E[\phi(u) \phi(v)]` and multiplies the NTK by
:math:`E[\phi'(u) \phi'(v)]`; the formulas below are theirs, in this order, with
:math:`n = \sqrt{q q'}` and c = S / n. `ntkreg.kernels.duals` computes them.
"""

from dataclasses import dataclass

from ntkreg.architecture.base import Layer, check_real, check_std

__all__ = [
    "ACTIVATIONS",
    "Activation",
    "Cos",
    "Erf",
    "Gaussian",
    "Gelu",
    "Identity",
    "LeakyRelu",
    "NormalizedGaussian",
    "Relu",
    "Sin",
]


@dataclass(frozen=True)
class Activation(Layer):
    """Base of all activations: act on every feature alone, on images and on vectors."""


@dataclass(frozen=True)
class Relu(Activation):
    """Rectified linear unit, max(x, 0); its dual is the arc-cosine kernel of order 1.

    n kappa1(c) / 2 and kappa0(c) / 2 (Cho and Saul 2009, eqs. 3-6); without the factor 2
    that some papers put in (weight_std sqrt(2) in the layer before stands for it).
    """


@dataclass(frozen=True)
class LeakyRelu(Activation):
    r"""max(x, 0) + slope min(x, 0); slope -1 is the absolute value.

    With a = slope: :math:`a S + (1-a)^2 n \kappa_1(c) / 2` and
    :math:`a + (1-a)^2 \kappa_0(c) / 2` (Tsuchida et al. 2018, arXiv 1711.09090).

    Parameters
    ----------
    slope : float, default=0.01
        Slope for x < 0; any finite number.
    """

    slope: float = 0.01

    def __post_init__(self) -> None:
        self._keep(slope=check_real("LeakyRelu", "slope", self.slope))


@dataclass(frozen=True)
class Erf(Activation):
    r"""Error function.

    With :math:`P = (1 + 2q)(1 + 2q')`: :math:`\frac 2 \pi \arcsin(2 S / \sqrt P)` and
    :math:`\frac 4 \pi / \sqrt{P - 4 S^2}` (Williams 1997, eq. 11; Lee et al. 2019, 1902.06720).
    """


@dataclass(frozen=True)
class Gelu(Activation):
    r"""x times the standard normal distribution function of x.

    With :math:`P = (1 + q)(1 + q')`, :math:`D^2 = P - S^2` and the angle
    :math:`t = \arcsin(S / \sqrt P)`:
    :math:`\frac S 4 + \frac 1 {2\pi} (S t + \frac{S^2 + q q' D^2}{P D})` and
    :math:`\frac 1 4 + \frac 1 {2\pi} (t + \frac S D (\frac 1 {D^2} + \frac{1 - q q'} P + 1))`
    (Tsuchida et al. 2021, arXiv 2002.08517).
    """


@dataclass(frozen=True)
class Sin(Activation):
    r"""Sine: :math:`e^{-(q+q')/2} \sinh S` and :math:`e^{-(q+q')/2} \cosh S`.

    Louart et al. 2018, arXiv 1702.05419, table 1.
    """


@dataclass(frozen=True)
class Cos(Activation):
    r"""Cosine: :math:`e^{-(q+q')/2} \cosh S` and :math:`e^{-(q+q')/2} \sinh S`.

    Louart et al. 2018, arXiv 1702.05419, table 1.
    """


@dataclass(frozen=True)
class Gaussian(Activation):
    r"""Random feature of the Gaussian (RBF) kernel, sqrt(2) sin(sqrt(2 gamma) x + pi/4).

    :math:`e^{-\gamma (q + q' - 2 S)}` and :math:`2 \gamma` times that (Rahimi and Recht
    2007); as ``stax.Rbf``.

    Parameters
    ----------
    gamma : float, default=1.0
        1 / (2 length scale squared); > 0.
    """

    gamma: float = 1.0

    def __post_init__(self) -> None:
        self._keep(gamma=check_std("Gaussian", "gamma", self.gamma, positive=True))


@dataclass(frozen=True)
class NormalizedGaussian(Activation):
    r"""The normalised Gaussian kernel of Shankar et al. 2020 (arXiv 2003.02237).

    :math:`n e^{\gamma (c - 1)}` and :math:`\gamma e^{\gamma (c - 1)}`: a Gaussian kernel of
    the directions that keeps the norms, as ReLU does, so that it scales with its input. The
    activation is :math:`\sqrt q f(x / \sqrt q)`, where the k-th normalised Hermite coefficient
    of f is :math:`\sqrt{e^{-\gamma} \gamma^k / k!}`. As ``stax.ExpNormalized(gamma, -1)``.

    Parameters
    ----------
    gamma : float, default=1.0
        The paper's value is 1; > 0.
    """

    gamma: float = 1.0

    def __post_init__(self) -> None:
        self._keep(gamma=check_std("NormalizedGaussian", "gamma", self.gamma, positive=True))


@dataclass(frozen=True)
class Identity(Activation):
    """Nothing: S and 1. Values that were Gaussian stay so."""


ACTIVATIONS: dict[str, Activation] = {
    "relu": Relu(),
    "leaky_relu": LeakyRelu(),
    "erf": Erf(),
    "gelu": Gelu(),
    "sin": Sin(),
    "cos": Cos(),
    "gaussian": Gaussian(),
    "normalized_gaussian": NormalizedGaussian(),
    "identity": Identity(),
}
"""Activations by the names that recipes take, with their default parameters."""
