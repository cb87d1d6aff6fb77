"""scikit-learn's handwritten digits as network input, split once and for all."""

import numpy as np
from sklearn.datasets import load_digits

HELD_OUT = 450


def load(held_out: bool) -> tuple[np.ndarray, np.ndarray]:
    """Pictures (n, 1, 8, 8) in [0, 1] as float32, and their labels (n,).

    The last 450 are held out: the data set lists writer after writer, so these are mostly hands that the
    network has not seen. No shuffle of any library can move a picture from one part to the other.
    """
    pictures, labels = load_digits(return_X_y=True)
    part = slice(-HELD_OUT, None) if held_out else slice(-HELD_OUT)
    return (pictures[part] / 16).reshape(-1, 1, 8, 8).astype(np.float32), labels[part]
