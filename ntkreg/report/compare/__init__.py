"""The page of `ntkreg compare`."""
