"""Mean kernels of random networks of finite width, in plain NumPy, with their standard errors.

NTK parametrisation. The NTK is the sum over layers of <grad, grad'>, by hand-written
back-propagation. Networks are the tuples of `layer_sums`, ending in a dense layer.
Never imports ntkreg.
"""

import numpy as np


def monte_carlo(network, X, *, width, draws, seed):
    """Return mean and standard error of the NNGP (n, n) and of the NTK (n, n).

    The NNGP is the covariance of the output over the last layer's weights, given the
    layers before it; both means are off from the infinite width by O(1 / width).
    """
    rng = np.random.default_rng(seed)
    samples = np.array([_one_draw(network, X, width, rng) for _ in range(draws)])
    mean, error = samples.mean(axis=0), samples.std(axis=0, ddof=1) / np.sqrt(draws)
    return (mean[0], error[0]), (mean[1], error[1])


def _one_draw(network, X, width, rng):
    a = np.asarray(X, float)
    if network[0][0] == "dense":
        a = a.reshape(len(a), -1)
    steps = []  # what the way back needs: (kind, layer, input, weights)
    for i, (kind, *p) in enumerate(network):
        weights = None
        if kind in ("dense", "conv"):
            last = i == len(network) - 1
            features = _patches(a, p[0]) if kind == "conv" else a
            weight_std, bias_std = p[-3:-1]
            weights = rng.normal(size=(features.shape[-1], 1 if last else width))
            weights *= weight_std / np.sqrt(features.shape[-1])
            if last:
                scaled = weight_std / np.sqrt(features.shape[-1]) * features
                nngp = scaled @ scaled.T + bias_std**2
            steps.append((kind, p, features, weights))
            a = features @ weights + bias_std * rng.normal(size=weights.shape[1])
        else:
            steps.append((kind, p, a, None))
            a = _forward(kind, p, a)
    return nngp, _ntk(steps, np.ones_like(a))


def _ntk(steps, grad):
    ntk = 0.0
    for kind, p, a, weights in reversed(steps):
        if kind in ("dense", "conv"):
            weight_std, bias_std, trained = p[-3:]
            n = len(a)
            if trained:
                # <sum_p a_p g_p', sum_q a_q g_q'> over weights, the sum over pixels p, q last.
                rows, back = a.reshape(-1, a.shape[-1]), grad.reshape(-1, grad.shape[-1])
                per_pixel = weight_std**2 / a.shape[-1] * (rows @ rows.T) + bias_std**2
                per_pixel *= back @ back.T
                ntk = ntk + per_pixel.reshape(n, len(rows) // n, n, -1).sum(axis=(1, 3))
            grad = grad @ weights.T
            grad = _unpatch(grad, p[0]) if kind == "conv" else grad
        else:
            grad = _backward(kind, p, a, grad)
    return ntk


def _forward(kind, p, a):
    if kind == "relu":
        return np.maximum(a, 0)
    if kind == "flatten":
        return a.reshape(len(a), -1)
    if kind == "gap":
        return a.mean(axis=(1, 2))
    return _box(a, *p)


def _backward(kind, p, a, grad):
    if kind == "relu":
        return grad * (a > 0)
    if kind == "flatten":
        return grad.reshape(a.shape)
    if kind == "gap":
        return np.broadcast_to(grad[:, None, None], a.shape) / (a.shape[1] * a.shape[2])
    return _box(grad, *p)  # the box is symmetric


def _patches(a, window):
    """Return images (n, h, w, window * window * c), zeros outside."""
    n, h, w, c = a.shape
    r = window // 2
    padded = np.pad(a, [(0, 0), (r, r), (r, r), (0, 0)])
    parts = [padded[:, i : i + h, j : j + w] for i in range(window) for j in range(window)]
    return np.stack(parts, axis=3).reshape(n, h, w, window**2 * c)


def _unpatch(grad, window):
    """Add the gradients of the patches up to those of the pixels."""
    n, h, w, _ = grad.shape
    r = window // 2
    grad = grad.reshape(n, h, w, window**2, -1)
    padded = np.zeros((n, h + 2 * r, w + 2 * r, grad.shape[-1]))
    for k in range(window**2):
        i, j = divmod(k, window)
        padded[:, i : i + h, j : j + w] += grad[:, :, :, k]
    return padded[:, r : r + h, r : r + w]


def _box(a, c):
    i, j = np.arange(a.shape[1]), np.arange(a.shape[2])
    rows = (abs(i[:, None] - i) <= c) / (2 * c + 1)
    columns = (abs(j[:, None] - j) <= c) / (2 * c + 1)
    return np.einsum("pi,qj,nijc->npqc", rows, columns, a)
