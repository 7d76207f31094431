"""The page of `ntkreg quickstart`."""
