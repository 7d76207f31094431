"""Convolutional kernels on 10 to 640 images."""
