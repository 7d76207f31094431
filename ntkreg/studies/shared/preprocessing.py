"""What `preprocessing` in a configuration stands for."""

from ntkreg.data import ChannelStandardizer, ZCAWhitener

__all__ = ["make_preprocessing"]


def make_preprocessing(
    name: str, zca_regularization: float
) -> ChannelStandardizer | ZCAWhitener | None:
    """Return the transformer that a configuration names, not fitted; None for "none"."""
    if name == "zca":
        return ZCAWhitener(regularization=zca_regularization)
    return ChannelStandardizer() if name == "channel" else None
