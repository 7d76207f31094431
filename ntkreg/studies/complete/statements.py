"""What the literature says: statements that the study judges, in words."""

__all__ = ["STATEMENTS"]

STATEMENTS = {
    "window": "Depth beats the nuclear norm in a window of seen entries, and loses below it",
    "depth 2": "Depth 2 from a small start is not the solution of least nuclear norm",
    "start": "A smaller start gives a lower rank",
    "optimisers": "Adam and AdaGrad end elsewhere than gradient descent at equal loss",
    "quasi-norms": "No Schatten quasi-norm orders what depth does",
    "equation": "Singular values follow their differential equation",
}
"""By the key in the column `statement`."""
