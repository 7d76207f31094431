"""neural-tangents: any stax network as an engine, and twins of our networks."""
