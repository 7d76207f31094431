"""The version, for rooms that may not import the package as a whole: also of a bare checkout."""

__all__ = ["VERSION"]

VERSION = "0.1.0"
