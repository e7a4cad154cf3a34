"""The order of an adversarial training: critic and generator in turn, averaged weights, checkpoints, logs."""

import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import speechbrain as sb
import torch
from speechbrain import Stage
from speechbrain.utils.checkpoints import DEFAULT_SAVE_HOOKS, get_default_hook
from speechbrain.utils.distributed import if_main_process
from speechbrain.utils.logger import get_logger
from torch.nn.parallel import DistributedDataParallel

from sb_resizegan.brains.modules import compiled_modules, frozen, unwrap, without_ddp
from sb_resizegan.brains.patient import PatientBrain
from sb_resizegan.brains.requirements import check_requirements
from sb_resizegan.brains.step_figures import mean_figures
from sb_resizegan.nnet.average import exponential_average
from sb_resizegan.utils.random import StepRandom, derive_seed

logger = get_logger(__name__)


class AdversarialBrain(PatientBrain):
    """Base of Brains that train a generator, against a critic or alone.

    Each batch of the train loader makes one backward pass, and each ``grad_accumulation_factor`` of them one
    optimizer step: ``critic_steps`` steps of the critic on fresh batches, then one of the generator, and
    again. SpeechBrain's counter ``optimizer_step`` counts both kinds. The host never waits for a GPU within
    a step: a batch is moved once, what is not finite is taken back there, and figures are read every
    ``log_every`` steps. What is random in a step is drawn by `StepRandom` from the run's seed and the number
    of the batch; together with the counters in the checkpoint (and the position of the train loader, which
    the caller adds to it) that is the whole random state of a run.

    A subclass defines ``generate(generator, batch)``, the candidates for a batch, and ``compute_objectives``,
    which adds to ``valid_figures`` one dict of figures for each batch in validation.

    Arguments
    ---------
    modules : dict
        ``generator``, and ``critic`` if there are critic steps.
    hparams : dict
        ``seed``; ``critic_steps``, 0 for a training without critic; ``critic_optimizer`` and
        ``generator_optimizer``, functions of a parameter list; ``learning_rate_schedule``, a function of the
        epoch that gives the old and the new rate (if it has a state, that goes into the checkpoint), and
        optionally ``critic_learning_rate_factor`` on it; ``average_decay`` of the generator's exponential
        moving average; ``loss``, one of `sb_resizegan.losses`; optionally ``log_every``, the steps of the
        generator between two readings of the figures (1); and SpeechBrain's run options.
    batches_per_epoch : int
        Length of the train loader, a multiple of ``(critic_steps + 1) * grad_accumulation_factor``.
    on_epoch : callable, optional
        Called in the main process at the end of an epoch with the epoch's number and the Brain; returns a
        dict of figures for the logs and the checkpoint's meta data.
    on_epoch_everywhere : bool
        Whether it is called in all processes, which share its work; the main one's figures count.
    checkpoint_key : str, optional
        Figure by which the best checkpoint is kept beside the newest.
    highest_is_best : bool
        Whether a higher figure is better, and not a lower one.
    run_opts, checkpointer
        See `speechbrain.Brain`.

    Raises
    ------
    ValueError
        If a module or hyperparameter is missing or out of range, the epoch does not hold whole cycles, or the
        critic is to be compiled (``torch.compile`` has no double backward).
    """

    def __init__(
        self,
        modules: Mapping[str, torch.nn.Module],
        hparams: Mapping[str, Any],
        batches_per_epoch: int,
        on_epoch: Callable[[int, "AdversarialBrain"], Mapping[str, float]] | None = None,
        on_epoch_everywhere: bool = False,
        checkpoint_key: str | None = None,
        highest_is_best: bool = False,
        run_opts: Any = None,
        checkpointer: Any = None,
    ) -> None:
        check_requirements(modules, hparams)
        super().__init__(modules=modules, hparams=hparams, run_opts=run_opts, checkpointer=checkpointer)
        # Two batches, as many as SpeechBrain's debug mode runs, shall show a step of each kind.
        self.critic_steps = min(hparams["critic_steps"], 1) if self.debug else hparams["critic_steps"]
        self.cycle = (self.critic_steps + 1) * self.grad_accumulation_factor
        if batches_per_epoch % self.cycle and not self.debug:
            raise ValueError(
                f"batches_per_epoch: expected a multiple of (critic_steps + 1) * grad_accumulation_factor = "
                f"{self.cycle}, but got {batches_per_epoch}"
            )
        # SpeechBrain 1.1 documents a negative value as 'off' but would then turn the gradients round.
        self.max_grad_norm: float = self.max_grad_norm if self.max_grad_norm > 0 else math.inf
        self.batches_per_epoch = batches_per_epoch
        self.on_epoch = on_epoch
        self.on_epoch_everywhere = on_epoch_everywhere
        self.checkpoint_key = checkpoint_key
        self.highest_is_best = highest_is_best
        self.generator_average = exponential_average(self.modules.generator, self.hparams.average_decay)
        if self.checkpointer is not None:
            self.checkpointer.add_recoverable("brain", self)
            self.checkpointer.add_recoverable("generator_average", self.generator_average)
            schedule = self.hparams.learning_rate_schedule
            if get_default_hook(schedule, DEFAULT_SAVE_HOOKS) is not None:
                self.checkpointer.add_recoverable("learning_rate_schedule", schedule)
        self.learning_rate = math.nan
        self._stage = ""
        self.train_stats: dict[str, float] = {}
        self.valid_figures: list[dict[str, torch.Tensor]] = []
        self._first_batch = 0
        self._show_bar = False

    # Setting up

    def _compile(self) -> None:
        if self.jit:
            raise ValueError(
                "--jit: torch.jit.script cannot read the critic's autograd functions; use --compile"
            )
        if self.compile:
            self.compile_module_keys: list[str] = compiled_modules(self.compile_module_keys)
        super()._compile()

    def _wrap_distributed(self) -> None:
        super()._wrap_distributed()
        for module in self.modules.values():
            if isinstance(module, DistributedDataParallel):
                # All buffers are constants, and writing them between two forward passes would spoil the first
                # one's graph.
                module.broadcast_buffers = False

    def init_optimizers(self) -> None:
        """Makes one optimizer for each network."""
        self.optimizers_dict = {
            "generator": self.hparams.generator_optimizer(self.modules.generator.parameters())
        }
        if self.hparams.critic_steps:
            self.optimizers_dict["critic"] = self.hparams.critic_optimizer(self.modules.critic.parameters())
        if self.checkpointer is not None:
            for name, optimizer in self.optimizers_dict.items():
                self.checkpointer.add_recoverable(f"{name}_optimizer", optimizer)

    def fit(
        self,
        epoch_counter: Iterable[int],
        train_set: Any,
        valid_set: Any = None,
        progressbar: bool | None = None,
        **kwargs: Any,
    ) -> None:
        """Trains; see `speechbrain.Brain.fit()`. The progress bar counts steps of the generator."""
        if progressbar is None:
            progressbar = not self.noprogressbar
        self._show_bar = progressbar and if_main_process()
        super().fit(epoch_counter, train_set, valid_set, progressbar=False, **kwargs)

    # One step

    @property
    def active(self) -> str:
        """Which network the next optimizer step changes: ``critic`` or ``generator``."""
        return "generator" if self.optimizer_step % (self.critic_steps + 1) == self.critic_steps else "critic"

    @property
    def generator_steps(self) -> int:
        """Steps of the generator so far."""
        return self.optimizer_step // (self.critic_steps + 1)

    def freeze_optimizers(
        self, optimizers: dict[str, torch.optim.Optimizer]
    ) -> dict[str, torch.optim.Optimizer]:
        """The optimizer of the active network alone."""
        return {self.active: optimizers[self.active]}

    def evaluate_batch(self, batch: Any, stage: Stage) -> torch.Tensor:
        """Seeds the batch by its number, whichever process has it."""
        world_size = torch.distributed.get_world_size() if self.distributed_launch else 1
        number = world_size * len(self.valid_figures) + (self.rank if self.distributed_launch else 0)
        self.random = StepRandom(self.hparams.seed, f"{self._stage} {number}", device=self.device)
        return super().evaluate_batch(batch, stage)

    def on_fit_batch_start(self, batch: Any, should_step: bool) -> None:
        """Seeds the step."""
        index = self._first_batch + self.step - 1
        world_size = torch.distributed.get_world_size() if self.distributed_launch else 1
        rank = self.rank if self.distributed_launch else 0
        self.random = StepRandom(self.hparams.seed, index, rank, world_size, self.device)
        # For layers that draw by themselves, such as a user's dropout.
        torch.manual_seed(derive_seed(self.hparams.seed, "layers", index, rank))

    def compute_forward(self, batch: Any, stage: Stage) -> torch.Tensor:
        """Candidates for a batch.

        Arguments
        ---------
        batch : object
            What the loader gives.
        stage : speechbrain.Stage
            In training the generator itself makes the candidates, with a graph if it is the active one; else
            its average does.

        Returns
        -------
        torch.Tensor
            What `generate()` gives.
        """
        if stage != sb.Stage.TRAIN:
            return self.generate(self.generator_average, batch)
        if self.active == "generator":
            return self.generate(self.modules.generator, batch)
        with torch.no_grad():
            return self.generate(without_ddp(self.modules.generator), batch)

    def generate(self, generator: torch.nn.Module, batch: Any) -> torch.Tensor:
        """Candidates of a generator for a batch."""
        raise NotImplementedError(f"{type(self).__name__} has no generate()")

    def draw(self, sample: Callable[[int, Any], torch.Tensor], count: int) -> torch.Tensor:
        """Rows drawn for this step on the Brain's device; see `StepRandom.rows()`."""
        return self.random.rows(sample, count).to(self.device)

    def critic_objective(self, bound: Callable, real: torch.Tensor, fake: torch.Tensor) -> torch.Tensor:
        """Loss of the critic in its step.

        Arguments
        ---------
        bound : callable
            From a critic module to the function that scores candidates.
        real, fake : torch.Tensor
            ``(batch, ...)``.
        """
        epsilon = self.draw(lambda count, random: random.uniform(count), len(real))
        step = self.optimizer_step - self.generator_steps
        value, figures = self.hparams.loss.critic_loss(bound(self.modules.critic), real, fake, epsilon, step)
        self.note(figures)
        return value

    def generator_objective(self, bound: Callable, fake: torch.Tensor, real: torch.Tensor) -> torch.Tensor:
        """Adversarial loss of the generator in its step; see `critic_objective()`."""
        # The bare module with frozen weights: the step needs none of the critic's gradients, and DDP none of
        # its hooks.
        critic = without_ddp(self.modules.critic)
        with frozen(critic):
            value = self.hparams.loss.generator_loss(bound(critic), fake, real)
        self.note({"generator_loss": value.detach()})
        return value

    def also_changed(self, active: str) -> Iterable[torch.Tensor]:
        """The averaged generator, with the generator."""
        return self.generator_average.parameters() if active == "generator" else ()

    def follow_step(self, active: str) -> None:
        """Clips the critic's weights, or averages the generator's."""
        if active == "critic":
            self.hparams.loss.after_critic_step(unwrap(self.modules.critic))
        else:
            self.generator_average.update_parameters(unwrap(self.modules.generator))

    def on_fit_batch_end(self, batch: Any, outputs: Any, loss: torch.Tensor, should_step: bool) -> None:
        """Follows the figures, and moves the bar when a step of the generator is done."""
        if not should_step or self.optimizer_step % (self.critic_steps + 1):
            return
        self.end_figures_of_step()

    # One epoch

    def on_stage_start(self, stage: Stage, epoch: int) -> None:
        """Sets the learning rate and begins the bar."""
        self._stage = f"{stage.name} {epoch}"
        if stage != sb.Stage.TRAIN:
            self.valid_figures = []
            return
        self.learning_rate, _ = self.hparams.learning_rate_schedule(epoch)
        for name, optimizer in self.optimizers_dict.items():
            factor = getattr(self.hparams, f"{name}_learning_rate_factor", 1.0)
            for group in optimizer.param_groups:
                group["lr"] = factor * self.learning_rate
        self._first_batch = (epoch - 1) * self.batches_per_epoch
        self.begin_figures()
        if self._show_bar:
            self.figures.show_bar(epoch, self.batches_per_epoch // self.cycle, self.step // self.cycle)

    def on_stage_end(self, stage: Stage, stage_loss: float, epoch: int) -> None:
        """Ends the bar, or validates, logs and saves."""
        if stage == sb.Stage.TRAIN:
            self.train_stats = self.end_figures()
            return
        valid_stats = mean_figures(self.valid_figures)
        if self.on_epoch is not None and (self.on_epoch_everywhere or if_main_process()):
            valid_stats.update(self.on_epoch(epoch, self))
        meta = {"epoch": epoch, "generator_steps": self.generator_steps, "learning_rate": self.learning_rate}
        for log in getattr(self.hparams, "train_loggers", []):
            log.log_stats(meta, train_stats=self.train_stats, valid_stats=valid_stats)
        if self.checkpointer is not None:
            keys = [self.checkpoint_key] if self.checkpoint_key else []
            self.checkpointer.save_and_keep_only(
                meta={key: float(value) for key, value in {**meta, **valid_stats}.items()},
                **{"max_keys" if self.highest_is_best else "min_keys": keys},
            )
