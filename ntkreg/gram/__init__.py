"""From blocks of kernel values to big matrices: plan, tiles, threads, folders."""

from ntkreg.gram.compute import compute_gram, kernel, plan_gram
from ntkreg.gram.gram import Gram, gram_of, kernel_of
from ntkreg.gram.open import open_gram
from ntkreg.gram.plan import GramPlan, plan_of

__all__ = [
    "Gram",
    "GramPlan",
    "compute_gram",
    "gram_of",
    "kernel",
    "kernel_of",
    "open_gram",
    "plan_gram",
    "plan_of",
]
