"""What reports share: pages, tables, figures."""
