"""Kernels of four networks against an RBF-SVM on handwritten digits."""
