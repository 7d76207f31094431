"""Networks of growing width against their kernels."""
