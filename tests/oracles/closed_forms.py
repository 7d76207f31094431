"""Dense ReLU kernels in extended precision (mpmath), right up to lambda = 1.

Cho and Saul 2009, eqs. 3-6; Jacot et al. 2018, theorem 1. Never imports ntkreg.
"""

import math

import mpmath

DIGITS = 50
SQRT2 = math.sqrt(2)


def kappa0(c):
    """Arc-cosine kernel of order 0 at the exact value of `c`."""
    with mpmath.workdps(DIGITS):
        return 1 - mpmath.acos(mpmath.mpf(c)) / mpmath.pi


def kappa1(c):
    """Arc-cosine kernel of order 1 at the exact value of `c`."""
    with mpmath.workdps(DIGITS):
        c = mpmath.mpf(c)
        return mpmath.sqrt(1 - c * c) / mpmath.pi + c * kappa0(c)


def dense_kernels(depth, x, z, *, weight_std=SQRT2, bias_std=0.0):
    """Return NNGP and NTK of x and z under `depth` hidden layers and a linear read-out.

    The stds are exactly the floats given; the read-out has weight_std 1, no bias.
    """
    with mpmath.workdps(DIGITS):
        w2 = mpmath.mpf(weight_std) ** 2
        b2 = mpmath.mpf(bias_std) ** 2
        x = [mpmath.mpf(float(v)) for v in x]
        z = [mpmath.mpf(float(v)) for v in z]
        same = x == z
        qx, qz, k = (mpmath.fdot(a, b) / len(x) for a, b in ((x, x), (z, z), (x, z)))
        ntk = mpmath.mpf(0)
        for _ in range(depth):
            qx, qz, k = (w2 * v + b2 for v in (qx, qz, k))
            ntk = w2 * ntk + k
            norm = mpmath.sqrt(qx * qz)
            c = mpmath.mpf(1) if same else mpmath.mpf(0) if norm == 0 else k / norm
            c = max(min(c, mpmath.mpf(1)), mpmath.mpf(-1))
            k, ntk = norm * kappa1(c) / 2, ntk * kappa0(c) / 2
            qx, qz = qx / 2, qz / 2
        return k, ntk + k


def dense_gradients(depth, x, z, *, weight_std, bias_std):
    """Return derivatives of `dense_kernels` by log weight_std and log bias_std, (2, 2).

    Central differences in extended precision: right to some twenty digits.
    """
    with mpmath.workdps(DIGITS):
        step = mpmath.mpf(10) ** -14

        def at(by_w, by_b):
            w, b = weight_std * mpmath.exp(by_w), bias_std * mpmath.exp(by_b)
            return dense_kernels(depth, x, z, weight_std=w, bias_std=b)

        ends = [(at(step, 0), at(-step, 0)), (at(0, step), at(0, -step))]
        return [[(u - v) / (2 * step) for u, v in zip(*each, strict=True)] for each in ends]
