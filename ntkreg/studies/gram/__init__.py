"""Kernel matrices of a data set, kept in folders."""
