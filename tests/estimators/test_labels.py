"""Labels as targets, and back from scores: the winner, and who wins a tie."""

import numpy as np
import pytest

from ntkreg.estimators.labels import code_labels, decode_labels, encode_labels


@pytest.mark.parametrize("n_classes", [2, 3, 5])
def test_decoding_undoes_coding(n_classes):
    labels = np.array(["owl", "cat", "dog", "yak", "bee"])[np.arange(20) % n_classes]
    classes, codes = encode_labels("test", labels)
    targets = code_labels(codes, n_classes)
    scores = targets.reshape(len(labels), -1)
    assert scores.shape[1] == (1 if n_classes == 2 else n_classes)
    np.testing.assert_array_equal(decode_labels(scores, classes), labels)


def test_the_first_class_wins_a_tie():
    classes = np.array([7, 8, 9])
    np.testing.assert_array_equal(
        decode_labels(np.array([[0, 1, 1], [2, 1, 2], [0, 0, 3]]), classes), [8, 7, 9]
    )
    np.testing.assert_array_equal(
        decode_labels(np.array([[0.0], [-1.0], [1e-300]]), classes[:2]), [7, 7, 8]
    )
    np.testing.assert_array_equal(  # two classes with a score each, as of a softmax
        decode_labels(np.array([[0.0, 0.0], [-1.0, 0.5]]), classes[:2]), [7, 8]
    )


def test_scores_of_several_networks_are_decoded_at_once():
    scores, classes = np.random.default_rng(0).normal(size=(4, 6, 3)), np.array([5, 6, 7])
    found = decode_labels(scores, classes)
    assert found.shape == (4, 6)
    np.testing.assert_array_equal(found, [decode_labels(s, classes) for s in scores])
