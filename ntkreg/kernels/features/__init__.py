"""Random features whose inner products are, on average, the kernel of a dense network."""

from ntkreg.kernels.features.draw import draw_features
from ntkreg.kernels.features.random_features import BLOCK, RandomFeatures

__all__ = ["BLOCK", "RandomFeatures", "draw_features"]
