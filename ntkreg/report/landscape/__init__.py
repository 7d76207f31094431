"""The page of `ntkreg landscape`."""
