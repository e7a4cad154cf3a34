"""A small Wasserstein training on real windows, for tests of the Brain."""

import torch
from speechbrain.nnet.schedulers import LinearScheduler
from speechbrain.utils.epoch_loop import EpochCounter

from sb_resizegan.brains import WGANBrain
from sb_resizegan.losses import WassersteinGP
from sb_resizegan.models.critic import WindowCritic
from sb_resizegan.models.window_generator import WindowGenerator
from sb_resizegan.training.checkpoints import AtomicCheckpointer
from sb_resizegan.training.loader import WindowStream

EPOCHS, ITERATIONS, CRITIC_STEPS, BATCH = 2, 3, 2, 8


class SmallRun:
    """Everything that a run needs, made anew from the seed.

    Arguments
    ---------
    windows : SpeechWindows
        Where real windows come from.
    save_folder : Path or None
        For checkpoints.
    options : dict
        SpeechBrain's run options.
    batch_size : int
        For each process.
    rank, world_size : int
        Of this process.
    loss : object
        An adversarial loss.
    brain_class : type
        ``WGANBrain`` or a subclass that a test makes.
    optimizer : callable
        From parameters to an optimizer.
    learning_rate : float
        In the first epoch; half of it in the second.
    downsampling : str
        Mode of the critic.
    schedule : callable
        Takes the place of a linear one.
    critic_steps : int
        Steps of the critic for each one of the generator.
    """

    def __init__(
        self,
        windows,
        save_folder=None,
        options=None,
        batch_size=BATCH,
        rank=0,
        world_size=1,
        loss=None,
        brain_class=WGANBrain,
        optimizer=lambda parameters: torch.optim.Adam(parameters, 2e-4, betas=(0.5, 0.9)),
        learning_rate=2e-4,
        downsampling="strided",
        schedule=None,
        critic_steps=CRITIC_STEPS,
    ):
        torch.manual_seed(0)
        self.generator = WindowGenerator(channels=(16, 8, 8, 4), latent_dim=8)
        self.critic = WindowCritic(channels=(4, 8, 8, 16), downsampling=downsampling)
        self.epochs = EpochCounter(EPOCHS)
        options = {"device": "cpu", "noprogressbar": True, **(options or {})}
        batches = ITERATIONS * (critic_steps + 1) * options.get("grad_accumulation_factor", 1)
        self.stream = WindowStream(windows, batch_size, batches, seed=3, rank=rank, world_size=world_size)
        self.valid = windows.fixed(16, seed=3).split(8)
        checkpointer = None
        if save_folder is not None:
            recoverables = {
                "generator": self.generator,
                "critic": self.critic,
                "epochs": self.epochs,
                "stream": self.stream,
            }
            checkpointer = AtomicCheckpointer(save_folder, recoverables)
        hparams = {
            "seed": 3,
            "loss": loss or WassersteinGP(),
            "critic_steps": critic_steps,
            "critic_optimizer": optimizer,
            "generator_optimizer": optimizer,
            "learning_rate_schedule": schedule or LinearScheduler(learning_rate, learning_rate / 2, EPOCHS),
            "average_decay": 0.9,
            "max_grad_norm": -1,
        }
        self.brain = brain_class(
            {"generator": self.generator, "critic": self.critic},
            hparams,
            batches,
            run_opts=options,
            checkpointer=checkpointer,
        )

    def fit(self):
        """Trains to the end."""
        valid = torch.utils.data.DataLoader(torch.cat(self.valid), batch_size=8)
        self.brain.fit(self.epochs, self.stream, valid)
        return self

    def weights(self):
        """All weights of both networks and the average, in one vector."""
        modules = (self.generator, self.critic, self.brain.generator_average)
        return torch.cat([p.detach().flatten() for module in modules for p in module.parameters()])
