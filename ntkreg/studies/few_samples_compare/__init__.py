"""Which of several few-samples runs' kernels is best."""
