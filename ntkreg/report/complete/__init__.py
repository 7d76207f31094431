"""The page of `ntkreg complete`."""
