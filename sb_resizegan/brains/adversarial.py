"""The order of an adversarial training: critic and generator in turn, averaged weights, checkpoints, logs."""

import contextlib
import math

import speechbrain as sb
import torch
from speechbrain.utils.checkpoints import DEFAULT_SAVE_HOOKS, get_default_hook
from speechbrain.utils.distributed import if_main_process
from speechbrain.utils.logger import get_logger
from torch.nn.parallel import DataParallel, DistributedDataParallel
from tqdm.auto import tqdm

from sb_resizegan.nnet.average import exponential_average
from sb_resizegan.utils.random import StepRandom, derive_seed

logger = get_logger(__name__)

HPARAMS_NEEDED = (
    "seed",
    "loss",
    "critic_steps",
    "critic_optimizer",
    "generator_optimizer",
    "learning_rate_schedule",
    "average_decay",
)


class AdversarialBrain(sb.Brain):
    """Base of Brains that train a generator, against a critic or alone.

    Each batch of the train loader makes one backward pass, and each ``grad_accumulation_factor`` of them one
    optimizer step: ``critic_steps`` steps of the critic on fresh batches, then one of the generator, and
    again. SpeechBrain's counter ``optimizer_step`` counts both kinds. All steps go through SpeechBrain's own
    ``fit_batch`` and ``optimizers_step``, so that its run options do what they say. What is random in a step
    is drawn by :class:`~sb_resizegan.utils.random.StepRandom` from the run's seed and the number of the
    batch; together with the counters in the checkpoint (and the position of the train loader, which the
    caller adds to it) that is the whole random state of a run.

    A subclass defines ``generate(generator, batch)``, which gives the candidates for a batch, and
    ``compute_objectives(predictions, batch, stage)``; it adds to ``valid_figures`` one dict of figures for
    each batch in validation.

    Arguments
    ---------
    modules : dict
        ``generator``, and ``critic`` if there are critic steps.
    hparams : dict
        ``seed``; ``critic_steps``, 0 for a training without critic; ``critic_optimizer`` and
        ``generator_optimizer``, functions of a parameter list; ``learning_rate_schedule``, a function of the
        epoch that gives the old and the new rate (if it has a state, that goes into the checkpoint), and
        optionally ``critic_learning_rate_factor`` on it;
        ``average_decay`` of the generator's exponential moving average; ``loss``, one of
        :mod:`sb_resizegan.losses`; and SpeechBrain's run options.
    batches_per_epoch : int
        Length of the train loader, a multiple of ``(critic_steps + 1) * grad_accumulation_factor``.
    on_epoch : callable, optional
        Called in the main process at the end of an epoch with the epoch's number and the Brain; returns a
        dict of figures for the logs and the checkpoint's meta data.
    checkpoint_key : str, optional
        Figure by which the best checkpoint is kept beside the newest; lower is better, unless
        ``highest_is_best``.
    highest_is_best : bool
        Whether a higher figure is better.
    run_opts, checkpointer
        See :class:`speechbrain.Brain`.

    Raises
    ------
    ValueError
        If a module or hyperparameter is missing, ``critic_steps`` is negative, the epoch does not hold whole
        cycles, or the critic is to be compiled (``torch.compile`` has no double backward).
    """

    def __init__(
        self,
        modules,
        hparams,
        batches_per_epoch,
        on_epoch=None,
        checkpoint_key=None,
        highest_is_best=False,
        run_opts=None,
        checkpointer=None,
    ):
        missing = [key for key in HPARAMS_NEEDED if key not in hparams]
        if missing:
            raise ValueError(f"hparams: expected {list(HPARAMS_NEEDED)}, but {missing} are missing")
        critic_steps = hparams["critic_steps"]
        if critic_steps < 0:
            raise ValueError(f"critic_steps: expected at least 0, but got {critic_steps}")
        needed = ["generator", "critic"] if critic_steps else ["generator"]
        if any(name not in modules for name in needed):
            raise ValueError(f"modules: expected {needed}, but got {sorted(modules)}")
        super().__init__(modules=modules, hparams=hparams, run_opts=run_opts, checkpointer=checkpointer)
        # Two batches, as many as SpeechBrain's debug mode runs, shall show a step of each kind.
        self.critic_steps = min(critic_steps, 1) if self.debug else critic_steps
        self.cycle = (self.critic_steps + 1) * self.grad_accumulation_factor
        if batches_per_epoch % self.cycle and not self.debug:
            raise ValueError(
                f"batches_per_epoch: expected a multiple of (critic_steps + 1) * grad_accumulation_factor = "
                f"{self.cycle}, but got {batches_per_epoch}"
            )
        if self.max_grad_norm <= 0:
            # SpeechBrain 1.1 documents a negative value as 'off' but would then turn the gradients round.
            self.max_grad_norm = math.inf
        self.batches_per_epoch = batches_per_epoch
        self.on_epoch = on_epoch
        self.checkpoint_key = checkpoint_key
        self.highest_is_best = highest_is_best
        self.generator_average = exponential_average(self.modules.generator, self.hparams.average_decay)
        if self.checkpointer is not None:
            self.checkpointer.add_recoverable("brain", self)
            self.checkpointer.add_recoverable("generator_average", self.generator_average)
            schedule = self.hparams.learning_rate_schedule
            if get_default_hook(schedule, DEFAULT_SAVE_HOOKS) is not None:
                self.checkpointer.add_recoverable("learning_rate_schedule", schedule)
        self.learning_rate = None
        self.random = None
        self.train_stats = {}
        self.valid_figures = []
        self._first_batch = 0
        self._figures = {}
        self._bar = None
        self._show_bar = False

    # Setting up

    def _compile(self):
        if self.jit:
            raise ValueError(
                "--jit: torch.jit.script cannot read the critic's autograd functions; use --compile"
            )
        keys = self.compile_module_keys
        if self.compile and keys is None:
            self.compile_module_keys = keys = ["generator"]
        if self.compile and "critic" in keys:
            raise ValueError(
                "--compile_module_keys: the critic cannot be compiled, for torch.compile has no "
                "double backward for the gradient penalty; compile the generator alone (--compile)"
            )
        super()._compile()

    def _wrap_distributed(self):
        super()._wrap_distributed()
        for module in self.modules.values():
            if isinstance(module, DistributedDataParallel):
                # All buffers are constants, and writing them between two forward passes would spoil the first
                # one's graph.
                module.broadcast_buffers = False

    def init_optimizers(self):
        """Makes one optimizer for each network."""
        self.optimizers_dict = {
            "generator": self.hparams.generator_optimizer(self.modules.generator.parameters())
        }
        if self.hparams.critic_steps:
            self.optimizers_dict["critic"] = self.hparams.critic_optimizer(self.modules.critic.parameters())
        if self.checkpointer is not None:
            for name, optimizer in self.optimizers_dict.items():
                self.checkpointer.add_recoverable(f"{name}_optimizer", optimizer)

    def fit(self, epoch_counter, train_set, valid_set=None, progressbar=None, **kwargs):
        """Trains; see :meth:`speechbrain.Brain.fit`. The progress bar counts steps of the generator."""
        if progressbar is None:
            progressbar = not self.noprogressbar
        self._show_bar = progressbar and if_main_process()
        super().fit(epoch_counter, train_set, valid_set, progressbar=False, **kwargs)

    # One step

    @property
    def active(self):
        """Which network the next optimizer step changes: ``critic`` or ``generator``."""
        return "generator" if self.optimizer_step % (self.critic_steps + 1) == self.critic_steps else "critic"

    @property
    def generator_steps(self):
        """Steps of the generator so far."""
        return self.optimizer_step // (self.critic_steps + 1)

    def freeze_optimizers(self, optimizers):
        """The optimizer of the active network alone."""
        return {self.active: optimizers[self.active]}

    def on_fit_batch_start(self, batch, should_step):
        """Seeds the step."""
        index = self._first_batch + self.step - 1
        world_size = torch.distributed.get_world_size() if self.distributed_launch else 1
        rank = self.rank if self.distributed_launch else 0
        self.random = StepRandom(self.hparams.seed, index, rank, world_size)
        # For layers that draw by themselves, such as a user's dropout.
        torch.manual_seed(derive_seed(self.hparams.seed, "layers", index, rank))

    def compute_forward(self, batch, stage):
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
            What :meth:`generate` gives.
        """
        if stage != sb.Stage.TRAIN:
            return self.generate(self.generator_average, batch)
        if self.active == "generator":
            return self.generate(self.modules.generator, batch)
        with torch.no_grad():
            return self.generate(without_ddp(self.modules.generator), batch)

    def generate(self, generator, batch):
        """Candidates of a generator for a batch."""
        raise NotImplementedError(f"{type(self).__name__} has no generate()")

    def draw(self, sample, count):
        """Rows drawn for this step on the Brain's device; see :meth:`StepRandom.rows`."""
        return self.random.rows(sample, count).to(self.device)

    def critic_objective(self, bound, real, fake):
        """Loss of the critic in its step.

        Arguments
        ---------
        bound : callable
            From a critic module to the function that scores candidates.
        real, fake : torch.Tensor
            ``(batch, ...)``.
        """
        epsilon = self.draw(lambda n, g: torch.rand(n, generator=g), len(real))
        value, figures = self.hparams.loss.critic_loss(bound(self.modules.critic), real, fake, epsilon)
        self.note(figures)
        return value

    def generator_objective(self, bound, fake):
        """Adversarial loss of the generator in its step."""
        # The bare module with frozen weights: the step needs none of the critic's gradients, and DDP none of
        # its hooks.
        critic = without_ddp(self.modules.critic)
        with frozen(critic):
            value = self.hparams.loss.generator_loss(bound(critic), fake)
        self.note({"generator_loss": value.detach()})
        return value

    def note(self, figures):
        """Takes figures of this step for the bar and the logs."""
        self._figures.update(figures)

    def optimizers_step(self):
        """One step of the active network; left out, as by float16's scaler, if its gradient is not finite."""
        if not self.scaler.is_enabled() and not self._gradients_finite():
            logger.warning(
                f"batch {self._first_batch + self.step}: the gradient is not finite, the step is left out"
            )
            for optimizer in self.freeze_optimizers(self.optimizers_dict).values():
                optimizer.zero_grad(set_to_none=True)
            self.optimizer_step += 1
            return
        active = self.active
        super().optimizers_step()
        if active == "critic":
            self.hparams.loss.after_critic_step(unwrap(self.modules.critic))
        else:
            self.generator_average.update_parameters(unwrap(self.modules.generator))

    def _gradients_finite(self):
        # After DDP's reduction the gradients, and so the decision, are the same on every process.
        gradients = [p.grad for p in self.modules[self.active].parameters() if p.grad is not None]
        return bool(torch.isfinite(torch.stack(torch._foreach_norm(gradients)).sum())) if gradients else True

    def on_fit_batch_end(self, batch, outputs, loss, should_step):
        """Follows the figures, and moves the bar when a step of the generator is done."""
        if not should_step or self.optimizer_step % (self.critic_steps + 1):
            return
        for name, value in self._figures.items():
            total, count = self.train_stats.get(name, (0.0, 0))
            value = float(value)
            if math.isfinite(value):
                self.train_stats[name] = (total + value, count + 1)
            self._figures[name] = value
        if self._bar is not None:
            self._bar.set_postfix(
                {name: f"{value:.3g}" for name, value in self._figures.items()}, refresh=False
            )
            self._bar.update()

    # One epoch

    def on_stage_start(self, stage, epoch=None):
        """Sets the learning rate and begins the bar."""
        self.random = StepRandom(self.hparams.seed, f"{stage.name} {epoch}")
        if stage != sb.Stage.TRAIN:
            self.valid_figures = []
            return
        self.learning_rate, _ = self.hparams.learning_rate_schedule(epoch)
        for name, optimizer in self.optimizers_dict.items():
            factor = getattr(self.hparams, f"{name}_learning_rate_factor", 1.0)
            for group in optimizer.param_groups:
                group["lr"] = factor * self.learning_rate
        self.train_stats, self._figures = {}, {}
        self._first_batch = (epoch - 1) * self.batches_per_epoch
        if self._show_bar:
            self._bar = tqdm(
                total=self.batches_per_epoch // self.cycle,
                initial=self.step // self.cycle,
                desc=f"epoch {epoch}",
                unit="step",
                dynamic_ncols=True,
            )

    def on_stage_end(self, stage, stage_loss, epoch=None):
        """Ends the bar, or validates, logs and saves."""
        if stage == sb.Stage.TRAIN:
            if self._bar is not None:
                self._bar.close()
                self._bar = None
            self.train_stats = {
                name: total / count for name, (total, count) in self.train_stats.items() if count
            }
            return
        valid_stats = {
            name: float(torch.stack([figures[name] for figures in self.valid_figures]).mean())
            for name in (self.valid_figures[0] if self.valid_figures else {})
        }
        if if_main_process() and self.on_epoch is not None:
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


def without_ddp(module):
    """The module that a distributed wrapper holds, or the module itself; a compiled module stays compiled."""
    return module.module if isinstance(module, DistributedDataParallel | DataParallel) else module


def unwrap(module):
    """The bare module, without distributed wrapper and without compilation."""
    module = without_ddp(module)
    return getattr(module, "_orig_mod", module)


@contextlib.contextmanager
def frozen(module):
    """Within, the module's parameters take no gradients."""
    parameters = [p for p in module.parameters() if p.requires_grad]
    for parameter in parameters:
        parameter.requires_grad_(False)
    try:
        yield
    finally:
        for parameter in parameters:
            parameter.requires_grad_(True)
