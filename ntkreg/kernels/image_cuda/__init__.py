"""Image kernels on a CUDA card: programs become source, compiled when first run."""
