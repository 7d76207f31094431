"""Measure what each estimator costs on one data set: seconds to fit and to predict, and its score.

python scripts/bench_estimators.py            # benchmarks/estimators.md, in some minutes
python scripts/bench_estimators.py --cpu      # CPU seconds, on a machine that is not idle
"""

import argparse
import time
from pathlib import Path

import numpy as np
import pandas as pd
from bench_page import BENCHMARKS, keep
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.gaussian_process import GaussianProcessClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.svm import SVC

from ntkreg import (
    FiniteNetworkClassifier,
    NeuralTangentKernel,
    NTKClassifier,
    NTKClassifierCV,
    NTKFeatures,
    NTKNystroem,
    NTKTransformer,
    StreamingRidgeClassifier,
    cntk,
    fully_connected,
)

IMAGES = {"image_shape": (8, 8, 1), "n_jobs": 1}
DEPTHS = [{"depth": 1}, {"depth": 2}, {"depth": 3}]
CONTENDERS = {
    "NTKClassifier()": NTKClassifier(n_jobs=1),
    "NTKClassifier(probability=True)": NTKClassifier(probability=True, n_jobs=1),
    "NTKClassifier(train_time=1e4)": NTKClassifier(train_time=1e4, n_jobs=1),
    "NTKClassifier(cntk(5))": NTKClassifier(cntk(5), **IMAGES),
    "NTKClassifierCV(), 11 ridges": NTKClassifierCV(n_jobs=1),
    "NTKClassifierCV(), 11 ridges, 3 depths": NTKClassifierCV(variants=DEPTHS, n_jobs=1),
    "NTKTransformer, SVC": make_pipeline(NTKTransformer(n_jobs=1), SVC(kernel="precomputed")),
    "NTKNystroem, 256 landmarks, LogisticRegression": make_pipeline(
        NTKNystroem(n_components=256, random_state=0, n_jobs=1),
        LogisticRegression(C=100, max_iter=1000),
    ),
    "StreamingRidgeClassifier(NTKFeatures), 2,048 features": StreamingRidgeClassifier(
        NTKFeatures(n_components=2048, random_state=0, n_jobs=1), n_jobs=1
    ),
    "GaussianProcessClassifier(NeuralTangentKernel), optimizer=None": GaussianProcessClassifier(
        NeuralTangentKernel(n_jobs=1), optimizer=None
    ),
    "FiniteNetworkClassifier(), 2 networks of width 256": FiniteNetworkClassifier(
        fully_connected(3), width=256, n_networks=2
    ),
}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=3, help="splits of the data")
    parser.add_argument("--cpu", action="store_true", help="CPU time in place of wall time")
    parser.add_argument("--output", type=Path, default=BENCHMARKS)
    arguments = parser.parse_args()
    clock = time.process_time if arguments.cpu else time.perf_counter
    X, y = load_digits(return_X_y=True)
    rows = []
    for name, estimator in CONTENDERS.items():
        clone(estimator).fit(X[:100] / 16, y[:100]).predict(X[:20] / 16)  # compiles
        figures = []
        for seed in range(arguments.rounds):
            split = train_test_split(X / 16, y, train_size=1000, random_state=seed, stratify=y)
            X_train, X_test, y_train, y_test = split
            NTKTransformer.clear_cache()
            start = clock()
            model = clone(estimator).fit(X_train, y_train)
            fitted = clock()
            predicted = model.predict(X_test)
            done = clock()
            accuracy = 100 * float(np.mean(predicted == y_test))
            figures.append((fitted - start, 1000 * (done - fitted) / len(X_test), accuracy))
        for figure, values in zip(
            ("fit", "predict 1,000", "accuracy"), np.transpose(figures), strict=True
        ):
            spread = {"median": np.median(values), "least": values.min(), "greatest": values.max()}
            rows.append({"estimator": name, "figure": figure, **spread})
        print(rows[-3:], flush=True)
    command = f"python scripts/bench_estimators.py --rounds {arguments.rounds}"
    command += " --cpu" if arguments.cpu else ""
    record = {"command": command, "clock": "CPU seconds" if arguments.cpu else "Seconds"}
    print(keep(arguments.output / "estimators", "estimators", pd.DataFrame(rows), 4, **record))


if __name__ == "__main__":
    main()
