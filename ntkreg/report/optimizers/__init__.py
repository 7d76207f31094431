"""The page of `ntkreg optimizers`."""
