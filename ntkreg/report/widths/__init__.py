"""The page of `ntkreg widths`."""
