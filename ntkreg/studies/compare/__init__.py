"""The study behind `ntkreg compare`."""
