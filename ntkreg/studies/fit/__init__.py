"""One model fitted, tested and saved."""
