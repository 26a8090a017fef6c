"""The moving averages of weights that optimisers keep (Keras' use_ema), in the place of the weights for a while."""

import contextlib
from collections.abc import Iterator

from historynet.systems.system import System


@contextlib.contextmanager
def averaged(system: System) -> Iterator[None]:
    """Within it the networks whose optimiser keeps an average have that for their weights, afterwards their own again.

    The stored statistics of batch normalisation stay: they are moving averages already, though of fewer steps.
    """
    own = []
    for name, network in system.networks.items():
        optimizer = system.optimizers[name]
        # That with a loss scale keeps no average; the one that it scales for does.
        if getattr(optimizer, "inner_optimizer", optimizer).use_ema:
            own += [(variable, variable.numpy()) for variable in network.trainable_variables]
            optimizer.finalize_variable_values(network.trainable_variables)
    try:
        yield
    finally:
        for variable, value in own:
            variable.assign(value)
