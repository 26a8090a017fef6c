"""What networks that tell classes apart are trained and judged by. Each gives one value a sample, (batch,)."""

from keras import ops


def cross_entropy(label, logits):
    """Cross-entropy: minus the logarithm of the true class's probability.

    Args:
        label: number of the class, (batch, 1).
        logits: (batch, classes).
    """
    return -ops.take_along_axis(ops.log_softmax(logits, axis=-1), ops.cast(label, "int32"), axis=-1)[:, 0]


def is_found(label, logits):
    """1 where the largest logit, the first of equals, is that of the true class; top-1 accuracy is the mean.

    Args:
        label: number of the class, (batch, 1).
        logits: (batch, classes).
    """
    return ops.cast(ops.argmax(logits, axis=-1) == ops.cast(label[:, 0], "int32"), logits.dtype)
