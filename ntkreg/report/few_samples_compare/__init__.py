"""The page of `ntkreg few-samples-compare`."""
