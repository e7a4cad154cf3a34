"""The stream is the same however it is loaded, and goes on where a checkpoint says."""

import pytest
import speechbrain
import torch
from speechbrain.utils.checkpoints import Checkpointer
from speechbrain.utils.epoch_loop import EpochCounter

from sb_resizegan.dataio.prepare.speech import prepare_speech
from sb_resizegan.dataio.speech_windows import SpeechWindows
from sb_resizegan.training.loader import WindowStream

SEED = 11


@pytest.fixture(scope="module")
def windows(small_corpus, tmp_path_factory):
    folder = tmp_path_factory.mktemp("manifests")
    prepare_speech(small_corpus, folder)
    return SpeechWindows(folder / "train.json", window_samples=256, data_root=small_corpus)


def make_stream(windows, **options):
    return WindowStream(windows, **{"batch_size": 4, "batches_per_epoch": 5, "seed": SEED, **options})


def numbers(windows, batches):
    """Which numbers of the stream a list of batches has."""
    known = {windows.batch(n, 4, SEED).numpy().tobytes(): n for n in range(30)}
    return [known[batch.numpy().tobytes()] for batch in batches]


@pytest.mark.parametrize("num_workers", [0, 2])
def test_epochs_follow_each_other(windows, num_workers):
    stream = make_stream(windows, num_workers=num_workers)
    torch.manual_seed(0)
    state = torch.get_rng_state()
    assert numbers(windows, stream) == [0, 1, 2, 3, 4]
    assert numbers(windows, stream) == [5, 6, 7, 8, 9]
    assert len(stream) == 5
    assert stream.position == 10
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize("num_workers", [0, 2])
def test_epoch_that_was_left_early(windows, num_workers):
    """Batches that were prepared, but not handed out, come in the next epoch."""
    stream = make_stream(windows, num_workers=num_workers)
    for _ in zip(range(2), stream, strict=False):
        pass
    assert numbers(windows, stream)[:2] == [stream.position - 5, stream.position - 4]
    assert stream.position in (7, 8)


def test_ranks_share_out_the_joint_batch(windows):
    joint = list(make_stream(windows, batch_size=8))
    parts = [list(make_stream(windows, rank=rank, world_size=2)) for rank in range(2)]
    for whole, *halves in zip(joint, *parts, strict=True):
        assert torch.equal(torch.cat(halves), whole)


@pytest.mark.parametrize("num_workers", [0, 2])
@pytest.mark.parametrize(
    ("taken", "end_of_epoch", "expected"),
    [
        (3, False, [3, 4]),
        (5, False, []),
        (5, True, [5, 6, 7, 8, 9]),
        (7, False, [7, 8, 9]),
    ],
)
def test_checkpoint_within_and_between_epochs(windows, tmp_path, num_workers, taken, end_of_epoch, expected):
    stream = make_stream(windows, num_workers=num_workers)
    checkpointer = Checkpointer(tmp_path, {"stream": stream})
    seen = 0
    while seen < taken:
        for _ in stream:
            seen += 1
            if seen == taken:
                checkpointer.save_checkpoint(end_of_epoch=end_of_epoch)
                break
    resumed = make_stream(windows, num_workers=num_workers)
    Checkpointer(tmp_path, {"stream": resumed}).recover_if_possible()
    assert resumed.position == taken
    assert numbers(windows, resumed) == expected
    following = taken + len(expected)
    assert numbers(windows, resumed) == list(range(following, following + 5))


def test_set_start(windows):
    stream = make_stream(windows)
    stream.set_start(12, done_in_epoch=2)
    assert numbers(windows, stream) == [12, 13, 14]
    stream.set_start(3)
    assert numbers(windows, stream) == [3, 4, 5, 6, 7]
    with pytest.raises(ValueError, match="done_in_epoch"):
        stream.set_start(1, done_in_epoch=2)


@pytest.mark.parametrize(
    ("key", "value"), [("batches_per_epoch", 0), ("batch_size", 0), ("seed", -1), ("rank", 2)]
)
def test_wrong_options_are_named(windows, key, value):
    with pytest.raises(ValueError, match=f"{key}: expected"):
        make_stream(windows, **{key: value})


class Recorder(speechbrain.Brain):
    """Keeps the batches it is trained with; dies after some of them if told to."""

    def on_fit_start(self):
        self.seen = []
        super().on_fit_start()

    def fit_batch(self, batch):
        if len(self.seen) == self.hparams.dies_after:
            raise KeyboardInterrupt
        self.seen.append(batch)
        return torch.zeros(())

    def on_stage_end(self, stage, stage_loss, epoch):
        self.checkpointer.save_checkpoint()


@pytest.mark.parametrize("num_workers", [0, 2])
@pytest.mark.parametrize("dies_after", [3, 4, 5, 7, 10])
def test_brain_goes_on_where_it_was_interrupted(windows, tmp_path, num_workers, dies_after):
    """With a checkpoint at every step, two runs together see what one uninterrupted run sees."""
    seen = []
    for patience in (dies_after, None):
        stream, counter = make_stream(windows, num_workers=num_workers), EpochCounter(3)
        checkpointer = Checkpointer(tmp_path, {"stream": stream, "counter": counter})
        brain = Recorder(
            modules={"layer": torch.nn.Linear(1, 1)},
            hparams={"dies_after": patience},
            run_opts={"ckpt_interval_steps": 1, "ckpt_interval_minutes": 0, "noprogressbar": True},
            checkpointer=checkpointer,
        )
        try:
            brain.fit(counter, stream)
        except KeyboardInterrupt:
            assert patience == dies_after
        seen += brain.seen
    assert numbers(windows, seen) == list(range(15))
