r"""`FlipEngine`: a kernel averaged over the horizontal flip of images.

Let F flip an image along its width and K be a kernel. With `K(F x, F z) = K(x, z)`
(`ntkreg.architecture.commutes_with_flip`) the engine gives

.. math:: \bar K(x, z) = \tfrac12 (K(x, z) + K(x, F z)),

else, over both arguments,

.. math:: \bar K(x, z) = \tfrac14 (K(x, z) + K(F x, F z) + K(x, F z) + K(F x, z)).

The second form equals the first where both apply, and in both the flip of either argument
changes nothing.

**Training on the doubled set.** Take n images with targets y, and add their flips with the
same targets. With K(F x, F z) = K(x, z), A = K(X, X) and B = K(X, F X), ridge regression at
`2 alpha` solves

.. math:: \begin{pmatrix} A + 2\alpha & B \\ B & A + 2\alpha \end{pmatrix}
          \begin{pmatrix} c \\ c' \end{pmatrix} = \begin{pmatrix} y \\ y \end{pmatrix}.

Exchanging image and flip exchanges c and c', so c' = c and :math:`(A + B + 2 \alpha) c = y`,
which is :math:`(\bar K + \alpha) (2 c) = y`; the prediction
:math:`(K(x, X) + K(x, F X)) c` is :math:`\bar K(x, X) (2 c)`. So **the averaged kernel at
ridge alpha gives the predictions of the doubled set at ridge 2 alpha**: n (n + 1) values of
K in place of n (2 n + 1), as many to predict, and an eighth of the n^3 of the solve.

Where K does not commute, the doubled set *with K itself* is another regression: it also
asks of the odd part f(x) - f(F x) that it be small, which then is not independent of the
even one. What holds is

- the averaged kernel at alpha is the doubled set at 2 alpha with the kernel
  (K(x, z) + K(F x, F z)) / 2, that of a sum of two independent networks, one of which sees
  the flipped image: it commutes, and its average over one argument has the four terms;
- as features, :math:`\bar\varphi(x) = (\varphi(x) + \varphi(F x)) / 2`: ridge regression at
  alpha with K's own functions f whose outputs on x and F x are averaged, in training and in
  prediction.

References
----------
Li et al. 2019 (arXiv 1911.00809), section 4: a kernel averaged over a group does what
training on the orbits does; Shankar et al. 2020 (arXiv 2003.02237): flips of CIFAR-10.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from ntkreg.kernels.engine import Engine, OuterEngine, mirror_upper

__all__ = ["FlipEngine", "FlipInputs", "average_over_flip", "flip"]


def flip(X: np.ndarray) -> np.ndarray:
    """Return images (n, h, w, c) mirrored left to right, as a new C-contiguous array."""
    return np.ascontiguousarray(X[:, :, ::-1])


@dataclass(frozen=True, eq=False)
class FlipInputs:
    """Images and their flips, prepared by the inner engine; slices are their own kind.

    Attributes
    ----------
    images, flips : array or what the inner engine prepares
    even : ndarray of bool, shape (n,)
        Whether an image is its own flip.
    """

    images: Any
    flips: Any
    even: np.ndarray

    def __len__(self) -> int:
        return len(self.even)

    def __getitem__(self, part: slice) -> "FlipInputs":
        return FlipInputs(self.images[part], self.flips[part], self.even[part])


@dataclass(frozen=True)
class FlipEngine(OuterEngine):
    """Values of another engine, averaged over the flip; the module says what that means.

    Cost: two values of the inner engine a pair, four where the network does not commute;
    memory: a second array of results, and the images once more.

    Attributes
    ----------
    engine : Engine
        Of images (h, w, c).
    commutes : bool
        Whether K(F x, F z) = K(x, z), so that one argument is enough.
    """

    NAME = "FlipEngine"

    commutes: bool

    @property
    def terms(self) -> int:
        """Two or four, times those of the inner engine."""
        return (2 if self.commutes else 4) * self.engine.terms

    def explain(self) -> str:
        """Say which values are averaged, and what the inner engine runs for each."""
        terms = (
            ["K(x, z)", "K(x, F z)"]
            if self.commutes
            else ["K(x, z)", "K(F x, F z)", "K(x, F z)", "K(F x, z)"]
        )
        return f"Mean of {', '.join(terms)}; F flips left and right.\n{self.engine.explain()}"

    def prepare(self, X: np.ndarray) -> FlipInputs:
        """Prepare the images and their flips with the inner engine."""
        flips = flip(X)
        even = (flips == X).reshape(len(X), -1).all(axis=1)
        return FlipInputs(self.engine.prepare(X), self.engine.prepare(flips), even)

    def cross(self, X: Any, Z: Any) -> np.ndarray:
        """Values of all pairs."""
        x, z = self._prepared(X), self._prepared(Z)
        pairs = self._straight(x, z) + self._crossed(x, z)
        return self._mean(sum(self.engine.cross(a, b) for a, b in pairs))

    def symmetric(self, X: Any) -> np.ndarray:
        """Values of all pairs within X; half are computed, to the bits of `cross`."""
        x = self._prepared(X)
        total: Any = sum(self.engine.symmetric(a) for a, _ in self._straight(x, x))
        own = np.einsum("fdii->fdi", total).copy()
        self._add_crossed_above(total, x)
        total = self._mean(total)
        mirror_upper(total)
        self._set_even(np.einsum("fdii->fdi", total), own, x.even)
        return total

    def diagonal(self, X: Any) -> np.ndarray:
        """Values of each image with itself, O(n): each is paired with its flip alone."""
        x = self._prepared(X)
        total: Any = sum(self.engine.diagonal(a) for a, _ in self._straight(x, x))
        own = total.copy()
        step = self.columns_at_once
        for start in range(0, len(x), step):
            part = x[start : start + step]
            for a, b in self._crossed(part, part):
                total[..., start : start + step] += np.einsum("fdii->fdi", self.engine.cross(a, b))
        total = self._mean(total)
        self._set_even(total, own, x.even)
        return total

    def _prepared(self, X: Any) -> FlipInputs:
        return X if isinstance(X, FlipInputs) else self.prepare(X)

    def _straight(self, x: FlipInputs, z: FlipInputs) -> list[tuple[Any, Any]]:
        """Arguments of the terms in which both are flipped or neither is."""
        both = [(x.images, z.images), (x.flips, z.flips)]
        return both[:1] if self.commutes else both

    def _crossed(self, x: FlipInputs, z: FlipInputs) -> list[tuple[Any, Any]]:
        """Arguments of the terms in which one is flipped."""
        either = [(x.images, z.flips), (x.flips, z.images)]
        return either[:1] if self.commutes else either

    def _add_crossed_above(self, total: np.ndarray, x: FlipInputs) -> None:
        """Add the crossed terms of all pairs on and above the diagonal, half by half.

        Below it only what costs nothing is computed: the rest of as many columns as take no
        longer than one. Halves, and not columns one after the other, because engines keep
        tables for each slice that they have seen.
        """
        step = self.columns_at_once
        if len(x) <= step:
            for a, b in self._crossed(x, x):
                total += self.engine.cross(a, b)
            return
        half = -(-len(x) // (2 * step)) * step
        first, second = slice(0, half), slice(half, len(x))
        for part in (first, second):
            self._add_crossed_above(total[..., part, part], x[part])
        for a, b in self._crossed(x[first], x[second]):
            total[..., first, second] += self.engine.cross(a, b)

    def _mean(self, total: Any) -> np.ndarray:
        # A division by a power of two, so that it costs no digit.
        return total / np.asarray(2 if self.commutes else 4, self.value_dtype)

    def _set_even(self, diagonal: np.ndarray, own: np.ndarray, even: np.ndarray) -> None:
        """Give images that are their own flip K(x, x), exactly.

        As a pair x and F x have the correlation 1 there, to rounding, and the NTK's
        derivative kernel has no finite slope; `own` is the sum of what engines compute
        without correlations.
        """
        diagonal[..., even] = own[..., even] / (1 if self.commutes else 2)


def average_over_flip(engine: Engine, *, commutes: bool) -> FlipEngine:
    """Return an engine that averages the values of one for images.

    Parameters
    ----------
    engine : Engine
    commutes : bool
        Whether its kernels have K(F x, F z) = K(x, z); two terms then do the work of four.
    """
    return FlipEngine(
        engine.shape, engine.dtype, engine.fields, engine.n_variants, engine, commutes
    )
