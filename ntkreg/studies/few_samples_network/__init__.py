"""Trained networks of finite width on the images of few_samples."""
