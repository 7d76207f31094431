"""Networks linearised in their parameters, which train as any other."""

import hashlib
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np

from ntkreg.errors import SpecError
from ntkreg.finite.base import Network, Params

__all__ = ["LinearizedNetwork", "linearize"]


@dataclass(frozen=True)
class LinearizedNetwork(Network):
    r"""A network's first-order expansion around its start; make one with `linearize`.

    :math:`f^{lin}(x) = f_{\theta_0}(x) + \nabla_\theta f_{\theta_0}(x)\,(\theta - \theta_0)`.
    Parameters are ``{"origin": theta_0, "moved": theta - theta_0}``; training changes the
    second. Trains like any network, by any optimiser and loss.

    Attributes
    ----------
    network : Network
        What is linearised.
    """

    network: Network

    @property
    def shape(self) -> tuple[int, ...]:  # type: ignore[override]
        """Shape of one input."""
        return self.network.shape

    @property
    def n_outputs(self) -> int:
        """Numbers that the network gives for one input."""
        return self.network.n_outputs

    @property
    def trainable(self) -> Params:
        """True and False in the structure of the parameters: which ones training moves."""
        inner = self.network.trainable
        return {"origin": jax.tree.map(lambda _: False, inner), "moved": inner}

    @property
    def layout(self) -> Params:
        """The network's twice: the origin, and how far from it."""
        return {"origin": self.network.layout, "moved": self.network.layout}

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the network's, and that it is linearised."""
        return hashlib.sha256(f"linearized {self.network.fingerprint}".encode()).hexdigest()

    def init(self, key: Any, dtype: Any = np.float32) -> Params:
        """Draw an origin, as the network does, not moved yet."""
        return self.around(self.network.init(key, dtype))

    def around(self, params: Params) -> Params:
        """Return parameters of the expansion around the network's `params`, one or stacked."""
        return {"origin": params, "moved": jax.tree.map(lambda p: 0 * p, params)}

    def apply(self, params: Params, x: Any) -> jax.Array:
        """Return the outputs, (n, n_outputs), of inputs (n, *shape). Pure."""
        value, change = jax.jvp(
            lambda p: self.network.apply(p, x), (params["origin"],), (params["moved"],)
        )
        return value + change

    def same_gradients(self, params: Params) -> tuple[Network, Params]:
        """Return the network at the origin: anywhere the expansion has the gradients there."""
        return self.network.same_gradients(params["origin"])

    def rates(self, normalized: bool) -> Params:
        """Return what multiplies the learning rate of each parameter array."""
        inner = self.network.rates(normalized)
        return {"origin": inner, "moved": inner}


def linearize(network: Network) -> LinearizedNetwork:
    """Return the network's first-order expansion around whatever start it is given.

    Parameters
    ----------
    network : Network

    Returns
    -------
    LinearizedNetwork
        `init` draws the start that ``network.init`` draws with the same key.

    Raises
    ------
    SpecError
        If `network` is none.

    References
    ----------
    Lee et al. 2019 (arXiv 1902.06720), eq. 5.

    Examples
    --------
    >>> from ntkreg import fully_connected
    >>> from ntkreg.finite import finite_network, linearize
    >>> linearize(finite_network(fully_connected(1), (3,), width=8)).n_outputs
    1
    """
    if not isinstance(network, Network):
        raise SpecError(f"linearize: network must come from finite_network; got {network!r}.")
    return LinearizedNetwork(network)
