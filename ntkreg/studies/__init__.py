"""Studies: one file per question; each writes rows with configuration, seed and versions."""
