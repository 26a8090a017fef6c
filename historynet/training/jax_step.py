"""One update of any system on one batch under JAX, computed in parts and on several devices if wanted.

What changes in an update, the values of all variables, goes into the compiled functions as an argument and comes out of
them: what they close over, XLA would take for constants, and fold for minutes.
"""

import functools
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import keras
import numpy as np

from historynet.errors import NotFiniteError
from historynet.systems.system import Phase, System
from historynet.training.jax_devices import Workers

State = dict[str, list[jax.Array]]
"""The values of variables, by what they belong to."""


class Computed(NamedTuple):
    """What a phase gives for a part of a batch.

    Attributes:
        losses: the part's share of their means over the batch, by name.
        gradients: by network; of a variable that no loss of the phase reaches, zeros.
        shared: what the system computes once a batch, for the phases that follow.
        moved: the values of variables that a pass moves by itself, such as the statistics of batch normalisation.
    """

    losses: dict[str, jax.Array]
    gradients: State
    shared: Mapping[str, jax.Array]
    moved: State


class StepTools:
    """`historynet.systems.system.Tools` in JAX.

    Args:
        seed: of the run.
        step: the update's number.
        phase: the phase's place in the update.
        start: place in the batch of the first sample that the phase sees.
        samples: of the whole batch.
    """

    def __init__(self, seed: int, step: jax.Array, phase: int, start: jax.Array, samples: int):
        self.step = step
        self._seed, self._start, self._samples = seed, start, samples
        self._draws = 100 * phase

    def input_gradient(self, function: Callable[[Any], Any], point: jax.Array) -> jax.Array:
        return jax.grad(lambda point: jnp.sum(function(point)))(point)

    def uniform(self, shape: Sequence[int]) -> jax.Array:
        # From the seed, the step and the place alone, as a continued run needs it. For the whole batch, so that a
        # sample gets the same number in whichever part it is computed.
        self._draws += 1
        key = jax.random.fold_in(jax.random.key(self._seed * 1000 + self._draws), self.step)
        numbers = jax.random.uniform(key, (self._samples, *shape[1:]), keras.config.floatx())
        return jax.lax.dynamic_slice_in_dim(numbers, self._start, shape[0])


class Step:
    """Runs a system's phases on one batch; calling it gives the losses, unweighted, by name.

    All devices that `Workers` found compute their shares of each part of the batch. Losses, gradients and statistics
    of batch normalisation are those of the whole part on any number of them. A batch of another size than the one
    before is compiled for anew.

    Args:
        system: what to train.
        seed: of the random numbers that the phases ask for.
        parts: how many parts of the batch are computed one after the other, which takes less memory. Batch
            normalisation sees a part at a time.
        jit: has no effect: JAX always compiles.

    Raises:
        NotFiniteError: naming the loss that is NaN or infinite; nothing of its phase or a later one has been applied.
        WorkerLostError: if another process of the training has ended.
    """

    def __init__(self, system: System, seed: int, parts: int = 1, jit: bool = False):
        self._system, self._seed, self._parts = system, seed, parts
        self.workers = Workers()
        for name, network in system.networks.items():
            if not system.optimizers[name].built:
                system.optimizers[name].build(network.trainable_variables)
        self._trainable = {name: list(network.trainable_variables) for name, network in system.networks.items()}
        self._own = _untrained(system)
        self._optimizers = {name: list(system.optimizers[name].variables) for name in system.networks}
        self._names: dict[int, list[str]] = {}
        self._reached: dict[int, dict[str, list[bool]]] = {}
        self._compute = [
            jax.jit(functools.partial(self._gradients, number), static_argnames="samples")
            for number in range(len(system.phases))
        ]
        self._apply = [jax.jit(functools.partial(self._applied, number)) for number in range(len(system.phases))]
        self._add = jax.jit(lambda a, b: jax.tree.map(jnp.add, a, b), donate_argnums=0)

    def place(self, fields: Mapping[str, np.ndarray], samples: int | None = None) -> list[dict[str, jax.Array]]:
        """Sends a batch to the devices, part by part, without waiting; a call takes it in the place of the fields.

        Args:
            fields: of this process's samples, `workers.own_places` of the batch's.
            samples: of the whole batch; None if this process has all.
        """
        samples = samples or len(next(iter(fields.values())))
        return self.workers.place(fields, samples, self._parts)

    def __call__(
        self, fields: Mapping[str, np.ndarray] | list[dict[str, jax.Array]], step: int, samples: int | None = None
    ) -> dict[str, float]:
        """One update.

        Args:
            fields: of this process's samples, or what `place` made of them.
            step: number of the update, for the random numbers.
            samples: of the whole batch; None if this process computes all.
        """
        parts = fields if isinstance(fields, list) else self.place(fields, samples)
        samples = sum(len(next(iter(part.values()))) for part in parts)
        with self.workers.watched():
            losses, norms = self._update(parts, step, samples)
            values = jax.device_get([*losses.values(), *norms.values()])
        for name, value in zip([*losses, *norms], values, strict=True):
            if not np.isfinite(value):
                raise NotFiniteError(f"{name} is not finite at step {step}")
        return {name: float(value) for name, value in zip(losses, values, strict=False)}

    def gradients(self, fields: Mapping[str, np.ndarray], step: int = 0) -> list[tuple[dict[str, float], State]]:
        """Each phase's losses and its networks' gradients, of the whole batch, before any update.

        Nothing is applied; what a pass moves by itself, as the statistics of batch normalisation, moves. A variable
        that no loss reaches has zeros. One process must have all samples, and losses are not scaled.
        """
        samples = len(next(iter(fields.values())))
        (part,) = self.workers.place(fields, samples, 1)
        trained, own, shared, results = self._values(self._trainable), self._values(self._own), {}, []
        for number, phase in enumerate(self._system.phases):
            scales = dict.fromkeys(phase.objectives, 1.0)
            computed = self._compute[number](trained, own, scales, part, shared, step, 0, samples=samples)
            own, shared = computed.moved, computed.shared
            losses = {name: float(computed.losses[name]) for name in self._names[number]}
            results.append((losses, computed.gradients))
        self._assign(self._own, own)
        return results

    def _update(self, parts: Sequence[Mapping[str, jax.Array]], step: int, samples: int) -> tuple[dict, dict]:
        """The losses and the gradients' norms by name; the variables have their new values if these are finite."""
        losses, norms, finite = {}, {}, True
        shared = [{}] * len(parts)
        for number, phase in enumerate(self._system.phases):
            trained, own = self._values(self._trainable), self._values(self._own)
            total, before, start = None, own, 0
            for place, part in enumerate(parts):
                computed = self._compute[number](
                    trained, own, self._scales(phase), part, shared[place], step, start, samples=samples
                )
                own, shared[place] = computed.moved, computed.shared
                summed = (computed.losses, computed.gradients)
                total = summed if total is None else self._add(total, summed)
                start += len(next(iter(part.values())))
            assert not total[0].keys() & losses.keys(), "two phases have a loss of the same name"
            losses |= {name: total[0][name] for name in self._names[number]}
            if step < phase.first_step:
                self._assign(self._own, own)
                continue
            trained = {name: trained[name] for name in phase.objectives}
            optimizers = self._values({name: self._optimizers[name] for name in phase.objectives})
            state, phase_norms, finite = self._apply[number](*total, trained, optimizers, own, before, finite)
            for variables, values in zip((self._trainable, self._optimizers, self._own), state, strict=True):
                self._assign(variables, values)
            norms |= phase_norms
        return losses, norms

    def _values(self, variables: Mapping[str, Sequence[keras.Variable]]) -> State:
        spread = self.workers.spread
        return {name: [spread(variable.value) for variable in listed] for name, listed in variables.items()}

    def _assign(self, variables: Mapping[str, Sequence[keras.Variable]], values: State) -> None:
        for name, listed in values.items():
            for variable, value in zip(variables[name], listed, strict=True):
                variable.assign(self.workers.local(value))

    def _scales(self, phase: Phase) -> dict[str, jax.Array | float]:
        """By what each network's objective is multiplied, so that 16 bits hold its gradients."""
        scales = {name: getattr(self._system.optimizers[name], "dynamic_scale", None) for name in phase.objectives}
        spread = self.workers.spread
        return {name: 1.0 if scale is None else spread(scale.value) for name, scale in scales.items()}

    def _gradients(
        self,
        number: int,
        trained: State,
        own: State,
        scales: Mapping[str, jax.Array],
        fields: Mapping[str, jax.Array],
        shared: Mapping[str, jax.Array],
        step: jax.Array,
        start: jax.Array,
        samples: int,
    ) -> Computed:
        """A phase on a part of the batch; nothing is applied yet."""
        phase = self._system.phases[number]
        tools = StepTools(self._seed, step, number, start, samples)
        reached = {name: [False] * len(trained[name]) for name in phase.objectives}

        def objectives(values: State) -> tuple[dict[str, jax.Array], tuple]:
            marked = {
                name: [_mark(value, reached[name], i) for i, value in enumerate(listed)]
                for name, listed in values.items()
            }
            scope = _scope((self._trainable, {**trained, **marked}), (self._own, own))
            with scope:
                once = self._system.once(fields) if number == 0 else shared
                losses = {name: jnp.sum(value) / samples for name, value in phase.losses(fields, once, tools).items()}
            # JAX sorts them.
            self._names[number] = list(losses)
            weighted = {
                network: scales[network] * sum(weight * losses[name] for name, weight in weights.items())
                for network, weights in phase.objectives.items()
            }
            moved = {
                name: [scope.get_current_value(variable) for variable in listed] for name, listed in self._own.items()
            }
            return weighted, (losses, once, moved)

        differentiated = {name: trained[name] for name in phase.objectives}
        weighted, pull, (losses, once, moved) = jax.vjp(objectives, differentiated, has_aux=True)
        gradients = {}
        for network in weighted:
            # Each network's own objective alone; XLA drops what nobody asks for.
            seed = {name: (jnp.ones_like if name == network else jnp.zeros_like)(weighted[name]) for name in weighted}
            gradients[network] = pull(seed)[0][network]
        self._reached[number] = reached
        return Computed(losses, gradients, once, moved)

    def _applied(
        self,
        number: int,
        losses: Mapping[str, jax.Array],
        gradients: State,
        trained: State,
        optimizers: State,
        own: State,
        before: State,
        finite: jax.Array,
    ) -> tuple[tuple[State, State, State], dict[str, jax.Array], jax.Array]:
        """The phase's networks, their optimisers and all else after it, as they were if something is not finite."""
        reached = self._reached[number]
        norms, applied, moved = {}, {}, {}
        for network, values in gradients.items():
            optimizer = self._system.optimizers[network]
            # A variable that no loss of the phase depends on stays as it is.
            values = [value if is_reached else None for value, is_reached in zip(values, reached[network], strict=True)]
            norms[f"gradient-of-{network}"] = _checked_norm(
                values, optimizer, optimizers[network], self._optimizers[network]
            )
            with warnings.catch_warnings():
                warnings.filterwarnings("ignore", "Gradients do not exist")
                applied[network], moved[network] = optimizer.stateless_apply(
                    optimizers[network], values, trained[network]
                )
        for value in (*losses.values(), *norms.values()):
            finite &= jnp.isfinite(value)
        state = jax.tree.map(
            lambda new, old: jnp.where(finite, new, old), (applied, moved, own), (trained, optimizers, before)
        )
        return state, norms, finite


def _checked_norm(
    gradient: Sequence[jax.Array | None],
    optimizer: keras.optimizers.Optimizer,
    values: Sequence[jax.Array],
    variables: Sequence[keras.Variable],
) -> jax.Array:
    """A number that is not finite where the gradient is not, and nothing else can answer that."""
    norm = jnp.sqrt(sum(jnp.sum(jnp.square(value)) for value in gradient if value is not None))
    if not isinstance(optimizer, keras.optimizers.LossScaleOptimizer):
        return norm
    # It leaves such an update out and halves its scale. Below 1 that would help no more.
    place = next(i for i, variable in enumerate(variables) if variable is optimizer.dynamic_scale)
    return jnp.where(values[place] > 1, 0.0, norm)


def _mark(value: jax.Array, reached: list[bool], place: int) -> jax.Array:
    """The value itself; sets its place in `reached` when a derivative with respect to it turns out not to be zero."""

    @jax.custom_vjp
    def same(value):
        return value

    def backward(_, cotangent):
        if isinstance(cotangent, jax.custom_derivatives.SymbolicZero):
            return (None,)
        reached[place] = True
        return (cotangent,)

    same.defvjp(lambda value: (value.value, None), backward, symbolic_zeros=True)
    return same(value)


def _untrained(system: System) -> dict[str, list[keras.Variable]]:
    """The variables that no optimiser moves: statistics, frozen layers, and networks that are only asked, as a teacher.

    By the network in `system.networks`, or by the attribute that holds it.
    """
    networks = {**system.networks, **{name: value for name, value in vars(system).items() if _is_layer(value)}}
    known = {id(variable) for network in system.networks.values() for variable in network.trainable_variables}
    found = {}
    for name, network in networks.items():
        found[name] = [variable for variable in network.variables if id(variable) not in known]
        known |= {id(variable) for variable in found[name]}
    return found


def _is_layer(value: Any) -> bool:
    return isinstance(value, keras.Layer)


def _scope(*states: tuple[Mapping[str, Sequence[keras.Variable]], State]) -> keras.StatelessScope:
    """A scope in which variables have these values; what is assigned to them within it stays in it."""
    return keras.StatelessScope(
        [
            pair
            for variables, values in states
            for name, listed in values.items()
            for pair in zip(variables[name], listed, strict=True)
        ]
    )
