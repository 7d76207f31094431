"""Networks of finite width beside the kernel of infinite width, on scikit-learn's digits.

Run it: python scripts/compare_finite.py (about a minute). Copy it and change what you like.
"""

import numpy as np
from sklearn.datasets import load_digits

from ntkreg import FiniteNetworkClassifier, NTKClassifier, fully_connected

N_TRAIN, N_TEST, WIDTHS, N_NETWORKS = 100, 500, (16, 64, 256), 8

X, y = load_digits(return_X_y=True)
X = ((X - X.mean()) / X.std()).astype(np.float32)
train, test = slice(0, N_TRAIN), slice(N_TRAIN, N_TRAIN + N_TEST)
network = fully_connected(depth=2)

kernel = NTKClassifier(network, alpha=1e-4, alpha_scale="absolute").fit(X[train], y[train])
limit = kernel.decision_function(X[test])
print(f"{N_TRAIN} digits to train on, {N_TEST} to test on; {N_NETWORKS} networks of each width")
print("width     each, %   together, %   distance of the mean output from the kernel's")
for width in WIDTHS:
    model = FiniteNetworkClassifier(
        network, width=width, n_networks=N_NETWORKS, n_steps=500, tol=0, random_state=0
    )  # no end before the last step: how near the limit is, is what is asked
    model.fit(X[train], y[train])
    each = 100 * np.mean(model.predict_networks(X[test]) == y[test])
    together = 100 * model.score(X[test], y[test])
    distance = np.linalg.norm(model.decision_function(X[test]) - limit) / np.linalg.norm(limit)
    print(f"{width:5} {each:11.1f} {together:13.1f} {distance:14.2f}")
print(f"kernel {10 * ' '} {100 * kernel.score(X[test], y[test]):13.1f}")
