"""Derivatives of dense kernels by the standard deviations of their weights and biases."""
