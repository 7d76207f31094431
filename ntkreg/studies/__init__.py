"""Studies: one folder per question; each writes rows with configuration, seed and versions."""
