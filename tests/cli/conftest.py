import pytest

CONFIG = """\
data: digits
architecture: {recipe: fully_connected, depth: 2}
n_train: 60
n_test: 40
alpha: 1.0e-3
"""


@pytest.fixture
def config(tmp_path):
    """Return the path of a configuration that fits in a moment."""
    path = tmp_path / "small.yaml"
    path.write_text(CONFIG)
    return str(path)
