"""The moving averages of weights that optimisers keep (Keras' use_ema), in the place of the weights for a while."""

import contextlib
from collections.abc import Iterator

from historynet.systems.system import System


@contextlib.contextmanager
def averaged(system: System) -> Iterator[None]:
    """Within it the networks whose optimiser keeps an average have that for their weights, afterwards their own again.

    Networks that have not been updated yet keep their own. The stored statistics of batch normalisation stay:
    they are moving averages already, though of fewer steps.
    """
    own = []
    for name, network in system.networks.items():
        optimizer = system.optimizers[name]
        # That with a loss scale keeps no average; the one that it scales for does. Before the first update it is zero.
        if getattr(optimizer, "inner_optimizer", optimizer).use_ema and int(optimizer.iterations) > 0:
            own += [(variable, variable.numpy()) for variable in network.trainable_variables]
            optimizer.finalize_variable_values(network.trainable_variables)
    try:
        yield
    finally:
        for variable, value in own:
            variable.assign(value)
