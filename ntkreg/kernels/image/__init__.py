"""The image engine: convolutional networks, tile by tile."""
