"""The image engine's programs in plain jax.numpy; imported only when asked for."""
