"""The parameters of the optimisers, which HistoryNet and its variants have besides those of every system."""

from collections.abc import Iterator
from dataclasses import dataclass

from historynet.settings.accepting import boolean, integer, number
from historynet.settings.declared import RUN, TRAIN, Settings, setting


@dataclass(frozen=True, kw_only=True)
class OptimizerSettings(Settings):
    """The optimisers' part of `HistoryNetSettings`."""

    learning_rate: float = setting(number(above=True), TRAIN, "optimiser", "step size of Adam", "section 5.1")
    decay_steps: int | None = setting(
        integer(1),
        TRAIN,
        "optimiser",
        "batches over which LEARNING_RATE falls",
        "along half a cosine, to zero or FINAL_RATE of it; none: it stays",
        optional=True,
    )
    final_rate: float = setting(
        number(at_most=1.0),
        TRAIN,
        "optimiser",
        "share of LEARNING_RATE after DECAY_STEPS",
        since=0.0,
    )
    warmup_steps: int | None = setting(
        integer(1),
        TRAIN,
        "optimiser",
        "batches over which LEARNING_RATE rises from zero",
        "before DECAY_STEPS; none: it begins as it is",
        optional=True,
    )
    features_rate: float = setting(
        number(above=True),
        TRAIN,
        "optimiser",
        "factor on LEARNING_RATE for VGG16's blocks",
        "1 to 3 in G0",
        since=1.0,
    )
    beta_1: float = setting(
        number(below=1.0),
        TRAIN,
        "optimiser",
        "share of the gradients' mean that Adam keeps",
        "at each step; section 5.1",
        fixed=RUN,
        since=0.5,
    )
    beta_2: float = setting(
        number(below=1.0),
        TRAIN,
        "optimiser",
        "share of the mean of their squares that it keeps",
        "section 5.1",
        fixed=RUN,
        since=0.999,
    )
    weight_decay: float = setting(
        number(),
        TRAIN,
        "optimiser",
        "share of kernels that is taken off at each step",
        "times the step's learning rate, as AdamW does; 0: none",
        since=0.0,
    )
    clip_norm: float | None = setting(
        number(above=True),
        TRAIN,
        "optimiser",
        "largest norm of a network's gradient",
        "a longer one is shortened to it; none: any",
        optional=True,
        since=None,
    )
    critic_rate: float | None = setting(
        number(above=True),
        TRAIN,
        "optimiser",
        "step size of D1's and D2's Adam",
        "which then has betas of 0.5 and 0.9 and none of the above; none: theirs is as G's",
        optional=True,
        fixed=RUN,
        since=None,
    )
    critic_warmup: int = setting(
        integer(0),
        TRAIN,
        "optimiser",
        "batches in which D1 and D2 alone are trained",
        "at the beginning; WARMUP_STEPS and DECAY_STEPS of G begin behind them",
        fixed=RUN,
        since=0,
    )
    ema_momentum: float | None = setting(
        number(above=True, below=1.0),
        TRAIN,
        "optimiser",
        "share kept by the average of G's weights",
        "at each step, of an exponential moving average, which is what is saved and evaluated; training goes on "
        "without it; none: no average",
        optional=True,
        fixed=RUN,
    )
    shared_adam_steps: bool = setting(
        boolean,
        TRAIN,
        "optimiser",
        "count Adam's steps over all networks",
        "over the updates of all of them together, as released",
    )

    def contradictions(self, command: str) -> Iterator[tuple[bool, str]]:
        yield from super().contradictions(command)
        if command != TRAIN:
            return
        yield (
            self.warmup_steps is not None and self.decay_steps is None,
            f"--warmup-steps {self.warmup_steps}: with --decay-steps only",
        )
        yield (
            self.final_rate > 0 and self.decay_steps is None,
            f"--final-rate {self.final_rate:g}: with --decay-steps only",
        )
        yield (
            self.ema_momentum is not None and self.strategy != "none",
            "--ema-momentum: with --strategy none only; averages of weights were not tried on several devices",
        )
        yield (
            self.shared_adam_steps and (self.critic_rate is not None or self.critic_warmup > 0),
            "--shared-adam-steps: not with --critic-rate or --critic-warmup, with which the networks' steps differ",
        )
        yield (
            self.shared_adam_steps and self.weight_decay > 0,
            "--shared-adam-steps: not with --weight-decay, which would be larger in the first steps",
        )
