"""The dense engine: networks on vectors."""
