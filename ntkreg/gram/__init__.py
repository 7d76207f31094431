"""From blocks of kernel values to big matrices: plan, tiles, threads, folders."""

from ntkreg.gram.compute import Gram, compute_gram, kernel
from ntkreg.gram.open import open_gram
from ntkreg.gram.plan import GramPlan, plan_gram

__all__ = ["Gram", "GramPlan", "compute_gram", "kernel", "open_gram", "plan_gram"]
