"""Eight optimisers from one start on one task: end points, functions, kernels, errors."""
