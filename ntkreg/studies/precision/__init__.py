"""Kernels in float32, mixed precision and float64."""
