"""Compare what leave-one-out, KARE and the marginal likelihood choose, on tables and images.

python scripts/ridge_choices.py --tables FOLDER --images FOLDER    # some minutes
FOLDER holds UCI sets as npz files with X and y; images with x_train, y_train, x_test, y_test.
"""

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
from bench_page import BENCHMARKS, keep
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler

from ntkreg import NTKClassifier, NTKClassifierCV, cntk, fully_connected, kernel
from ntkreg.data import ChannelStandardizer, balanced_draws, load_npz
from ntkreg.errors import NotPSDError

TABLES = (
    "breast-cancer", "conn-bench-sonar-mines-rocks", "energy-y1", "glass", "heart-cleveland",
    "hepatitis", "ionosphere", "iris", "parkinsons", "statlog-heart", "seeds", "balance-scale",
)  # fmt: skip
IMAGES = ("mnist_small", "fashion_mnist_small", "cifar10_raw")
N_TRAIN, N_TEST = 200, 250
"""Images of a draw, as many of each class; pairs of images are what costs time."""
CRITERIA = {"loo": "cv", "kare": "kare", "likelihood": "marginal_likelihood"}
DEPTHS = [{"depth": d} for d in (1, 2, 3, 4)]
Parts = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]


def tables(folder: Path, n_splits: int) -> Iterator[tuple[str, int, Parts]]:
    """Yield training and test halves of each set, standardised columns: X, X, y, y."""
    for name in TABLES:
        with np.load(folder / f"{name}.npz", allow_pickle=False) as file:
            X, y = file["X"].astype(float), file["y"].ravel()
        for split in range(n_splits):
            parts = train_test_split(X, y, test_size=0.5, random_state=split, stratify=y)
            X_train, X_test, y_train, y_test = parts
            scaler = StandardScaler().fit(X_train)
            yield (
                name,
                split,
                (scaler.transform(X_train), scaler.transform(X_test), y_train, y_test),
            )


def images(folder: Path, n_splits: int) -> Iterator[tuple[str, int, Parts]]:
    """Yield balanced draws of training and of test images, standardised channels."""
    for name in IMAGES:
        data = load_npz(folder / f"{name}.npz")
        train = balanced_draws(data.y_train, N_TRAIN, n_splits, seed=0)
        test = balanced_draws(data.y_test, N_TEST, n_splits, seed=0)
        for split, (own, other) in enumerate(zip(train, test, strict=True)):
            scaler = ChannelStandardizer().fit(data.X_train[own])
            X_train, X_test = (
                scaler.transform(x).astype(np.float32)
                for x in (data.X_train[own], data.X_test[other])
            )
            yield name, split, (X_train, X_test, data.y_train[own], data.y_test[other])


def choose(network: object, parts: Parts) -> list[dict]:
    """Return the accuracy of what each criterion chooses, of all on the same Grams."""
    X_train, X_test, y_train, y_test = parts
    grams = kernel(network, X_train, variants=DEPTHS, n_jobs=1)
    crosses = kernel(network, X_test, X_train, variants=DEPTHS, n_jobs=1)
    rows = []
    for criterion, selection in CRITERIA.items():
        asked = {"kernel": "precomputed", "selection": selection, "n_jobs": 1}
        models = [NTKClassifierCV(**asked).fit(K, y_train) for K in grams]
        best = int(np.argmax([model.best_score_ for model in models]))
        accuracy = models[best].score(crosses[best], y_test)
        alpha, depth = models[best].alpha_, DEPTHS[best]["depth"]
        rows.append({"criterion": criterion, "accuracy": accuracy, "alpha": alpha, "depth": depth})
    every = []
    for K, cross, variant in zip(grams, crosses, DEPTHS, strict=True):
        for alpha in models[0].alphas_:
            model = NTKClassifier(kernel="precomputed", alpha=alpha, n_jobs=1)
            try:
                accuracy = model.fit(K, y_train).score(cross, y_test)
            except NotPSDError:
                continue
            every.append((accuracy, alpha, variant["depth"]))
    accuracy, alpha, depth = max(every, key=lambda one: one[0])
    return [*rows, {"criterion": "best", "accuracy": accuracy, "alpha": alpha, "depth": depth}]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--tables", type=Path, required=True, help="folder of UCI sets as npz")
    parser.add_argument("--images", type=Path, required=True, help="folder of image sets as npz")
    parser.add_argument("--splits", type=int, default=3, help="splits of a table, draws of images")
    parser.add_argument("--output", type=Path, default=BENCHMARKS, help="folder")
    asked = parser.parse_args()
    kinds = {
        "table": (fully_connected(2, bias_std=0.1), tables(asked.tables, asked.splits)),
        "images": (cntk(2, "lap"), images(asked.images, asked.splits)),
    }
    rows = []
    for kind, (network, sets) in kinds.items():
        for data, split, parts in sets:
            one = {"kind": kind, "data": data, "n": len(parts[2]), "split": split}
            rows += [{**one, **chosen} for chosen in choose(network, parts)]
            print(pd.DataFrame(rows[-len(CRITERIA) - 1 :]).to_string(header=False), flush=True)
    record = {
        "command": f"python scripts/ridge_choices.py --tables {asked.tables} "
        f"--images {asked.images} --splits {asked.splits}",
        "n_test": N_TEST,
    }
    print(keep(asked.output / "ridge_choices", "ridge_choices", pd.DataFrame(rows), 6, **record))


if __name__ == "__main__":
    main()
