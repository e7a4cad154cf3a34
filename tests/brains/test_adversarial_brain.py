"""The Wasserstein Brain: who steps when, what run options do, and what survives an interruption."""

import subprocess
import sys
from pathlib import Path

import pytest
import speechbrain as sb
import torch
from speechbrain.utils.checkpoints import mark_as_loader, mark_as_saver, register_checkpoint_hooks

from sb_resizegan.brains import WGANBrain
from sb_resizegan.dataio.prepare.speech import prepare_speech
from sb_resizegan.dataio.speech_windows import SpeechWindows
from sb_resizegan.losses import (
    Hinge,
    NonSaturating,
    RelativisticR1R2,
    SpectralEnergyDistance,
    WassersteinClipping,
)
from sb_resizegan.training.loader import WindowStream
from tests.small_run import BATCH, CRITIC_STEPS, EPOCHS, ITERATIONS, SmallRun

STEPS = EPOCHS * ITERATIONS * (CRITIC_STEPS + 1)


@pytest.fixture(scope="module")
def manifest(small_corpus, tmp_path_factory):
    folder = tmp_path_factory.mktemp("manifests")
    prepare_speech(small_corpus, folder)
    return folder / "train.json"


@pytest.fixture(scope="module")
def windows(manifest, small_corpus):
    return SpeechWindows(manifest, data_root=small_corpus)


class Interrupted(Exception):
    """Stands for whatever ends a process."""


class Observed(WGANBrain):
    """Notes which network each batch changed, and may be interrupted."""

    stop_after = None

    def on_fit_start(self):
        super().on_fit_start()
        self.changes = []
        self.batches = []

    def on_fit_batch_start(self, batch, should_step):
        super().on_fit_batch_start(batch, should_step)
        self.before = {name: self.vector(name) for name in ("generator", "critic")}
        self.batches.append(batch)

    def on_fit_batch_end(self, batch, outputs, loss, should_step):
        super().on_fit_batch_end(batch, outputs, loss, should_step)
        self.changes.append(
            "".join(name[0] for name, old in self.before.items() if not torch.equal(old, self.vector(name)))
        )
        if len(self.changes) == self.stop_after:
            raise Interrupted

    def vector(self, name):
        return torch.cat([p.detach().flatten().clone() for p in self.modules[name].parameters()])


def test_critic_steps_on_fresh_batches_then_one_step_of_the_generator(windows):
    run = SmallRun(windows, brain_class=Observed).fit()
    assert run.brain.changes == ["c", "c", "g"] * ITERATIONS * EPOCHS
    assert run.brain.optimizer_step == STEPS
    assert run.brain.generator_steps == ITERATIONS * EPOCHS
    assert len({batch.sum().item() for batch in run.brain.batches}) == STEPS


def test_gradients_are_accumulated(windows):
    run = SmallRun(windows, brain_class=Observed, options={"grad_accumulation_factor": 2}).fit()
    assert run.brain.changes == ["", "c", "", "c", "", "g"] * ITERATIONS * EPOCHS
    assert run.brain.optimizer_step == STEPS


def test_accumulated_gradient_is_the_mean_over_its_batches(windows):
    class Gradients(Observed):
        stop_after = 2

        def optimizers_step(self):
            self.step_gradient = self.gradient()
            super().optimizers_step()

        def on_fit_batch_end(self, *args):
            self.last_gradient = self.gradient()
            super().on_fit_batch_end(*args)

        def gradient(self):
            return torch.cat(
                [p.grad.flatten() for p in self.modules.critic.parameters() if p.grad is not None]
                or [torch.zeros(0)]
            )

    run = SmallRun(windows, brain_class=Gradients, options={"grad_accumulation_factor": 2})
    with pytest.raises(Interrupted):
        run.fit()
    alone = []
    for index, batch in enumerate(run.brain.batches):
        again = SmallRun(windows, brain_class=Gradients)
        again.brain.on_fit_start()
        again.brain.step = index + 1
        again.brain.on_fit_batch_start(batch, True)
        windows_made = again.brain.compute_forward(batch, sb.Stage.TRAIN)
        again.brain.compute_objectives(windows_made, batch, sb.Stage.TRAIN).backward()
        alone.append(again.brain.gradient())
    torch.testing.assert_close(run.brain.step_gradient, (alone[0] + alone[1]) / 2, rtol=1e-4, atol=1e-6)
    assert (alone[0] - alone[1]).norm() > 0.05 * alone[0].norm()


@pytest.mark.parametrize("stop_after", [4, 9, 13])
def test_interrupted_and_resumed_is_bit_for_bit_the_same(windows, tmp_path, stop_after):
    whole = SmallRun(windows).fit()

    class Stopped(Observed):
        pass

    Stopped.stop_after = stop_after
    options = {"ckpt_interval_steps": 2}
    with pytest.raises(Interrupted):
        SmallRun(windows, tmp_path, options, brain_class=Stopped).fit()
    torch.manual_seed(99)
    resumed = SmallRun(windows, tmp_path, options, brain_class=Observed)
    resumed.fit()
    assert 0 < len(resumed.brain.changes) < STEPS
    assert torch.equal(whole.weights(), resumed.weights())
    for name, optimizer in whole.brain.optimizers_dict.items():
        state, other = optimizer.state_dict(), resumed.brain.optimizers_dict[name].state_dict()
        assert state["param_groups"] == other["param_groups"]
        assert all(
            torch.equal(state["state"][i]["exp_avg_sq"], other["state"][i]["exp_avg_sq"])
            for i in state["state"]
        )


def test_a_finished_run_started_again_does_nothing(windows, tmp_path):
    first = SmallRun(windows, tmp_path).fit()
    again = SmallRun(windows, tmp_path, brain_class=Observed).fit()
    assert again.brain.changes == []
    assert torch.equal(first.weights(), again.weights())


def test_another_seed_of_the_global_generator_changes_nothing(windows):
    first = SmallRun(windows)
    torch.manual_seed(1234)
    second = SmallRun(windows)
    torch.manual_seed(4321)
    assert torch.equal(first.fit().weights(), second.fit().weights())


@pytest.mark.parametrize(
    "loss", [WassersteinClipping(), NonSaturating(), Hinge(), RelativisticR1R2(penalty_interval=2)]
)
def test_every_loss_trains(windows, loss):
    run = SmallRun(windows, brain_class=Observed, loss=loss).fit()
    assert run.brain.changes == ["c", "c", "g"] * ITERATIONS * EPOCHS
    assert torch.isfinite(run.weights()).all()
    if isinstance(loss, WassersteinClipping):
        assert max(p.abs().max() for p in run.critic.parameters()) <= loss.clip


@pytest.mark.parametrize("critic_steps", [0, 2])
def test_the_energy_distance_trains_alone_and_beside_a_critic(windows, critic_steps):
    run = SmallRun(windows)
    hparams = {
        **vars(run.brain.hparams),
        "critic_steps": critic_steps,
        "energy_weight": 0.5,
        "energy_distance": SpectralEnergyDistance((64, 256)),
    }
    stream = run.stream if critic_steps else WindowStream(windows, BATCH, ITERATIONS, seed=3)
    brain = Observed(dict(run.brain.modules), hparams, len(stream), run_opts={"device": "cpu"})
    before = [p.clone() for p in run.critic.parameters()]
    brain.fit(run.epochs, stream, torch.utils.data.DataLoader(torch.cat(run.valid), batch_size=8))
    assert brain.changes == [*["c"] * critic_steps, "g"] * ITERATIONS * EPOCHS
    assert set(brain.valid_figures[0]) == ({"energy", "score_gap"} if critic_steps else {"energy"})
    assert ("generator_loss" in brain.train_stats) == bool(critic_steps)
    assert brain.train_stats["energy"] > 0
    still = all(torch.equal(a, b) for a, b in zip(before, run.critic.parameters(), strict=True))
    assert still == (not critic_steps)


def sgd(parameters):
    """Plain gradient descent shows errors of gradients as they are; Adam blows up those of tiny ones."""
    return torch.optim.SGD(parameters, lr=1.0)


def test_bfloat16_keeps_float32_weights_and_stays_near_float32(windows):
    start = SmallRun(windows).weights()
    exact, rough = (
        SmallRun(windows, optimizer=sgd, learning_rate=0.02, options={"precision": precision}).fit().weights()
        for precision in ("fp32", "bf16")
    )
    assert rough.dtype is torch.float32
    assert 0 < (exact - rough).norm() < 0.1 * (exact - start).norm()


def test_max_grad_norm_bounds_the_step_and_a_negative_one_does_not(windows):
    class OneStep(Observed):
        stop_after = 1

    moves = {}
    for bound in (1e-3, -1, 1e9):
        run = SmallRun(
            windows, brain_class=OneStep, optimizer=sgd, learning_rate=1.0, options={"max_grad_norm": bound}
        )
        before = run.weights()
        with pytest.raises(Interrupted):
            run.fit()
        moves[bound] = run.weights() - before
    assert moves[1e-3].norm().item() == pytest.approx(1e-3, rel=1e-3)
    assert moves[-1].norm() > 0.01
    assert torch.equal(moves[-1], moves[1e9])


class Poisoned(Observed):
    """Sees NaN in its second and fourth batch."""

    def on_fit_batch_start(self, batch, should_step):
        super().on_fit_batch_start(batch, should_step)
        if len(self.batches) in (2, 4):
            batch[:] = float("nan")


def test_a_batch_that_is_not_finite_is_left_out(windows):
    run = SmallRun(windows, brain_class=Poisoned, options={"nonfinite_patience": 2}).fit()
    assert run.brain.changes == ["c", "", "g", "", *(["c", "c", "g"] * ITERATIONS * EPOCHS)[4:]]
    assert torch.isfinite(run.weights()).all()


def test_patience_ends(windows):
    with pytest.raises(ValueError, match="patience is exhausted"):
        SmallRun(windows, brain_class=Poisoned, options={"nonfinite_patience": 1}).fit()


def test_debug_runs_a_step_of_each_network(windows, tmp_path):
    run = SmallRun(windows, tmp_path, brain_class=Observed, options={"debug": True}).fit()
    assert run.brain.changes == ["c", "g"] * 2
    assert list(tmp_path.iterdir()) == []


def test_the_average_follows_the_generator(windows):
    class Averaged(Observed):
        def on_fit_start(self):
            super().on_fit_start()
            self.expected, self.count = None, 0

        def on_fit_batch_end(self, *args):
            super().on_fit_batch_end(*args)
            if self.changes[-1] == "g":
                decay = min(0.9, (1 + self.count) / (10 + self.count))
                new = self.vector("generator")
                self.expected = new if self.count == 0 else decay * self.expected + (1 - decay) * new
                self.count += 1

    run = SmallRun(windows, brain_class=Averaged).fit()
    average = torch.cat([p.flatten() for p in run.brain.generator_average.parameters()])
    torch.testing.assert_close(average, run.brain.expected)


def test_learning_rates_follow_the_schedule(windows):
    rates = []

    class Rates(Observed):
        def on_fit_batch_end(self, *args):
            rates.append({group["lr"] for o in self.optimizers_dict.values() for group in o.param_groups})
            super().on_fit_batch_end(*args)

    SmallRun(windows, brain_class=Rates).fit()
    assert all(len(rate) == 1 for rate in rates)
    assert [rate.pop() for rate in rates] == pytest.approx([2e-4] * (STEPS // 2) + [1e-4] * (STEPS // 2))


@register_checkpoint_hooks
class FallingRate:
    """Divides the rate by its number of calls: a schedule with a state."""

    def __init__(self):
        self.calls = 0

    def __call__(self, epoch):
        self.calls += 1
        return 1e-3 / self.calls, 1e-3 / (self.calls + 1)

    @mark_as_saver
    def save(self, path):
        Path(path).write_text(str(self.calls))

    @mark_as_loader
    def load(self, path, end_of_epoch):
        self.calls = int(Path(path).read_text())


def test_a_schedule_with_a_state_goes_on_with_it(windows, tmp_path):
    class Stopped(Observed):
        stop_after = STEPS // 2 + 1

    with pytest.raises(Interrupted):
        SmallRun(windows, tmp_path, brain_class=Stopped, schedule=FallingRate()).fit()
    resumed = SmallRun(windows, tmp_path, schedule=FallingRate()).fit()
    assert resumed.brain.learning_rate == 5e-4


def test_compiling_the_critic_is_refused_and_compile_alone_means_the_generator(windows):
    refused = SmallRun(windows, options={"compile": True, "compile_module_keys": ["generator", "critic"]})
    with pytest.raises(ValueError, match=r"critic cannot be compiled.*double backward"):
        refused.fit()
    with pytest.raises(ValueError, match=r"--jit: .*use --compile"):
        SmallRun(windows, options={"jit": True}).fit()
    compiled = SmallRun(windows, options={"compile": True})
    compiled.brain.on_fit_start()
    assert [hasattr(compiled.brain.modules[name], "_orig_mod") for name in ("generator", "critic")] == [
        True,
        False,
    ]


def test_a_compiled_generator_trains_as_the_plain_one(windows):
    plain, compiled = SmallRun(windows).fit(), SmallRun(windows, options={"compile": True}).fit()
    torch.testing.assert_close(plain.weights(), compiled.weights(), rtol=0, atol=5e-4)


@pytest.mark.parametrize("downsampling", ["strided", "blur"])
def test_two_processes_do_what_one_does_with_the_joint_batch(
    windows, manifest, small_corpus, tmp_path, downsampling
):
    worker = Path(__file__).parents[1] / "ddp_worker.py"
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2"]
    command = [*torchrun, str(worker), manifest, small_corpus, tmp_path, downsampling]
    process = subprocess.run(
        list(map(str, command)), capture_output=True, text=True, cwd=Path(__file__).parents[2]
    )
    assert process.returncode == 0, process.stderr
    settings = {"optimizer": sgd, "learning_rate": 0.02, "downsampling": downsampling}
    start = SmallRun(windows, **settings).weights()
    joint = SmallRun(windows, batch_size=16, **settings).fit().weights()
    ranks = [torch.load(tmp_path / f"{rank}.pt") for rank in range(2)]
    assert torch.equal(*ranks)
    assert (ranks[0] - joint).norm() < 1e-4 * (joint - start).norm()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"critic_steps": 0}, "critic_steps: expected at least 1, or an energy_weight above 0, but got 0"),
        ({"critic_steps": 3}, r"batches_per_epoch: expected a multiple of .* = 4, but got 9"),
        ({"average_decay": 1.0}, r"decay: expected a value in \[0, 1\)"),
    ],
)
def test_wrong_settings_are_refused(windows, change, message):
    run = SmallRun(windows)
    hparams = {**vars(run.brain.hparams), **change}
    with pytest.raises(ValueError, match=message):
        WGANBrain(dict(run.brain.modules), hparams, 9, run_opts={"device": "cpu"})


def test_missing_modules_and_hyperparameters_are_named(windows):
    run = SmallRun(windows)
    with pytest.raises(ValueError, match=r"expected \['generator', 'critic'\], but got \['generator'\]"):
        WGANBrain({"generator": run.generator}, vars(run.brain.hparams), 9)
    with pytest.raises(ValueError, match=r"\['loss'\] are missing"):
        hparams = {key: value for key, value in vars(run.brain.hparams).items() if key != "loss"}
        WGANBrain(dict(run.brain.modules), hparams, 9)
