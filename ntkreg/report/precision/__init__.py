"""The page of `ntkreg precision`."""
