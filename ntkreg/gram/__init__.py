"""From blocks of kernel values to big matrices: plan, tiles, threads, folders."""

from ntkreg.gram.compute import Gram, compute_gram, kernel

__all__ = ["Gram", "compute_gram", "kernel"]
