"""The compiled loops of the image engine."""
