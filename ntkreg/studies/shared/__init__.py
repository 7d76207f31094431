"""What studies share: configuration, records, statistics."""
