"""Networks of growing width against their kernels, on scikit-learn's digits: the plain script.

Draws networks, trains them, and prints how four distances fall with the width, with the slope on
log axes; `ntkreg widths` does it with intervals, verdicts, more quantities and a page.

Run it: python scripts/width_scaling.py (about half a minute). Copy it and change what you like.
"""

import numpy as np
from sklearn.datasets import load_digits

from ntkreg import fully_connected, kernel
from ntkreg.finite import (
    ObserveOutputs,
    Training,
    empirical_kernels,
    finite_network,
    linear_dynamics,
    train,
)

WIDTHS, N_SEEDS, N_TRAIN, N_TEST, N_STEPS = (32, 64, 128, 256, 512), 8, 64, 100, 60

digits = load_digits()
X = (digits.data - digits.data.mean()) / digits.data.std()
y = np.where(digits.target % 2, 1.0, -1.0)  # odd or even
X, X_test, y = X[:N_TRAIN], X[N_TRAIN : N_TRAIN + N_TEST], y[:N_TRAIN]

architecture = fully_connected(depth=2)
limit = kernel(architecture, X)  # of infinite width
rate = 0.5 * 2 * N_TRAIN / np.linalg.eigvalsh(limit)[-1]  # half of the stable one
training = Training(rate, N_STEPS)


def relative(K, reference):
    return np.linalg.norm(K - reference) / np.linalg.norm(reference)


print(f"{N_TRAIN} digits, {architecture}, {N_SEEDS} starts a width; geometric means")
print("width   NTK - analytic   NTK change   hidden weights   |f - linear|")
table = []
for width in WIDTHS:
    network = finite_network(architecture, (64,), width=width)
    rows = []
    for i in range(N_SEEDS):
        seed = 10_000 * width + i  # JAX begins arrays of any size alike from one seed
        start = network.init(seed)
        before = empirical_kernels(network, start, X).ntk
        line = linear_dynamics(network, start, X, y, X_test)
        run = train(network, training, X, y, seeds=(seed,), observers={"f": ObserveOutputs(X_test)})
        end = tuple({name: w[0] for name, w in layer.items()} for layer in run.params)
        gaps = run.observed["f"][:, 0] - line.at_steps(run.steps, rate)[1]
        rows.append(
            [
                relative(before, limit),
                relative(empirical_kernels(network, end, X).ntk, before),
                relative(np.asarray(end[2]["w"]), np.asarray(start[2]["w"])),
                np.sqrt(np.square(gaps).mean(axis=(1, 2))).max(),
            ]
        )
    table.append(np.exp(np.log(rows).mean(axis=0)))
    print("{:5d} {:16.4f} {:12.4f} {:16.5f} {:14.4f}".format(width, *table[-1]))

slopes = np.polyfit(np.log(WIDTHS), np.log(table), 1)[0]
print("slope {:16.2f} {:12.2f} {:16.2f} {:14.2f}".format(*slopes))
print("theory           -0.5     <= -0.5             -1.0        <= -0.5")
