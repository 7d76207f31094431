"""The page of `ntkreg few-samples-network`."""
