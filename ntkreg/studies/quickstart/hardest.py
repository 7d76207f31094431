"""Images that are misclassified most often, and how clearly."""

from pathlib import Path

import numpy as np

from ntkreg.storage import write_arrays

__all__ = ["Hardest"]


class Hardest:
    """Gathers predictions of the same images by many classifiers and splits.

    Parameters
    ----------
    n_images, n_classes : int
    """

    def __init__(self, n_images: int, n_classes: int) -> None:
        self._votes = np.zeros((n_images, n_classes), dtype=int)
        self._margin = np.zeros(n_images)

    def add(self, test: np.ndarray, y_test: np.ndarray, scores: np.ndarray) -> None:
        """Count one classifier's scores (m, n_classes) of the images `test` (m,)."""
        rows = np.arange(len(test))
        self._votes[test, scores.argmax(axis=1)] += 1
        true = scores[rows, y_test]
        others = scores.copy()
        others[rows, y_test] = -np.inf
        self._margin[test] += true - others.max(axis=1)

    def rank(self, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return misclassified images, hardest first, and the error rate of every image.

        Ordered by error rate, then by mean margin: the true class's score less the best
        other's. Images that were never tested have rate 0.
        """
        tested = np.maximum(self._votes.sum(axis=1), 1)
        error = 1 - self._votes[np.arange(len(y)), y] / tested
        error[self._votes.sum(axis=1) == 0] = 0
        order = np.lexsort((self._margin / tested, -error))
        return order[error[order] > 0], error

    def save(self, path: Path, X: np.ndarray, y: np.ndarray, count: int) -> None:
        """Write the `count` hardest: images, true, predicted (most voted wrong), error."""
        order, error = self.rank(y)
        order = order[:count]
        wrong = self._votes[order].copy()
        wrong[np.arange(len(order)), y[order]] = -1
        found = {
            "images": X[order],
            "true": y[order],
            "predicted": wrong.argmax(axis=1),
            "error": error[order],
            "n_predictions": self._votes[order].sum(axis=1),
        }
        write_arrays(path, found, compressed=True)
