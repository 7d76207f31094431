"""From blocks of kernel values to big matrices: plan, tiles, threads, folders."""

from ntkreg.gram.collection import gram_in_store, kernel_in_store
from ntkreg.gram.compute import compute_gram, kernel, plan_gram
from ntkreg.gram.filling import Filling
from ntkreg.gram.gram import Gram, gram_of, kernel_of
from ntkreg.gram.open import open_gram
from ntkreg.gram.plan import GramPlan, plan_of
from ntkreg.gram.status import GramStatus, gram_status

__all__ = [
    "Filling",
    "Gram",
    "GramPlan",
    "GramStatus",
    "compute_gram",
    "gram_in_store",
    "gram_of",
    "gram_status",
    "kernel",
    "kernel_in_store",
    "kernel_of",
    "open_gram",
    "plan_gram",
    "plan_of",
]
