"""A stream in real time: blocks in, blocks out, late ones counted, and devices that go away named."""

from types import SimpleNamespace

import numpy as np
import pytest
import soundfile

from sb_resizegan.commands import live as command
from sb_resizegan.commands.main import main
from sb_resizegan.inference import StreamingEnhancement
from sb_resizegan.inference.live_sound import LiveEnhancement, simulate
from tests.inference.small import exported_causal, small_generator, small_model


class Clock:
    """A clock that goes on when somebody sleeps, and by so many seconds whenever it is read."""

    def __init__(self, step=0.0):
        self.now, self.step = 0.0, step

    def __call__(self):
        self.now += self.step
        return self.now

    def sleep(self, seconds):
        self.now += seconds


@pytest.fixture(scope="module")
def model():
    return small_model(small_generator(causal=True))


def noise(time, channels=1):
    return 0.1 * np.random.default_rng(0).standard_normal((time, channels)).astype(np.float32)


@pytest.mark.parametrize("block", [100, 256, 700])
def test_blocks_give_the_stream_at_its_latency(model, block):
    clock, signal = Clock(), noise(6000, 2)
    live = LiveEnhancement(StreamingEnhancement.of_model(model, channels=2), clock)
    output = np.concatenate(list(simulate(live, signal, block, clock.sleep)))
    whole = model.enhance_batch(signal.T).numpy().T
    latency = live.stream.latency_samples
    assert not output[:latency].any()
    np.testing.assert_allclose(output[latency:6000], whole[: 6000 - latency], atol=1e-5)
    assert live.figures.late == 0 and live.figures.blocks == -(-6000 // block)
    assert clock.now >= 6000 / 16000  # in real time


def test_late_blocks_are_counted(model):
    for step, late in ((0.001, 0), (0.05, 24)):
        clock = Clock(step)
        live = LiveEnhancement(StreamingEnhancement.of_model(model), clock)
        blocks = list(simulate(live, noise(256 * 24), 256, clock.sleep))
        assert len(blocks) == 24 and live.figures.late == late


def test_a_driver_s_nan_and_xruns_do_not_stop_it(model):
    live = LiveEnhancement(StreamingEnhancement.of_model(model))
    output = np.empty((256, 1), np.float32)
    for number in range(6):
        block = noise(256)
        block[3] = np.nan if number == 2 else 0
        live.callback(block, output, 256, None, "input overflow" if number == 4 else "")
        assert np.isfinite(output).all() and np.abs(output).max() <= 1
    assert (live.figures.xruns, live.stream.not_finite, live.figures.blocks) == (1, 1, 6)


def test_a_block_of_no_samples_changes_nothing(model):
    plain, empty = (LiveEnhancement(StreamingEnhancement.of_model(model)) for _ in range(2))
    signal, nothing = noise(256 * 6), np.empty((0, 1), np.float32)
    outputs = []
    for block in np.split(signal, 6):
        empty.callback(nothing, nothing.copy(), 0, None, "")
        outputs.append(empty.block(block))
    np.testing.assert_array_equal(outputs, [plain.block(block) for block in np.split(signal, 6)])
    assert empty.figures.late == plain.figures.late


def test_a_stream_that_has_ended_says_so_and_begins_again(model):
    live = LiveEnhancement(StreamingEnhancement.of_model(model))
    live.stream.flush()
    with pytest.raises(RuntimeError, match="call reset"):
        live.block(noise(256))
    live.stream.reset()
    assert live.block(noise(256)).shape == (256, 1)


def test_a_device_that_is_gone_ends_it_with_a_line(model, capsys):
    for card in (SimpleNamespace(active=False), SimpleNamespace(active=True)):
        live = LiveEnhancement(StreamingEnhancement.of_model(model))
        assert command.watched(live, card, sleep=lambda seconds: None) == 1
        assert "is it unplugged?" in capsys.readouterr().err


def test_a_file_is_played_in_real_time(tmp_path, capsys):
    exported_causal(tmp_path / "model")
    soundfile.write(tmp_path / "noisy.wav", noise(8000), 16000)
    words = ["live", "--model", str(tmp_path / "model"), "--simulate", str(tmp_path / "noisy.wav")]
    assert main([*words, "--save", str(tmp_path / "out.wav"), "--strength", "0"]) == 0
    said = capsys.readouterr().out
    assert "latency 48 ms" in said and "32 blocks of 16.0 ms, late: " in said
    output, noisy = (soundfile.read(tmp_path / name)[0] for name in ("out.wav", "noisy.wav"))
    np.testing.assert_allclose(output[512:8000], noisy[: 8000 - 512], atol=1e-4)


def fake_sounddevice(fault):
    """As far as the command uses it; without a device, or with one that cannot do a rate."""

    class PortAudioError(Exception):
        pass

    def query_devices(device=None, kind=None):
        if device == "Nowhere":
            raise ValueError(f"No {kind} device matching {device!r}")
        return {"default_samplerate": 16000.0} if kind else "0 Microphone"

    def stream(**options):
        raise PortAudioError(fault)

    return SimpleNamespace(PortAudioError=PortAudioError, query_devices=query_devices, Stream=stream)


def test_what_devices_cannot_do_is_said_in_a_line(tmp_path, capsys, monkeypatch):
    exported_causal(tmp_path / "model")
    monkeypatch.setattr(command, "sound", lambda: fake_sounddevice("Invalid sample rate [-9997]"))
    monkeypatch.setattr("sb_resizegan.utils.extras.require", lambda *words: None)
    words = ["live", "--model", str(tmp_path / "model")]
    assert main([*words, "--rate", "11025"]) == 1
    assert main([*words, "--input", "Nowhere"]) == 1
    assert main(["live", "--list"]) == 0
    assert main(["live", "--model", "enhance-base"]) == 1
    said = capsys.readouterr()
    errors = [line for line in said.err.splitlines() if line.startswith("error: ")]
    assert [
        word in line
        for word, line in zip(
            ("Invalid sample rate", "No input device matching 'Nowhere'", "cannot run on a stream"),
            errors,
            strict=True,
        )
    ] == [True] * 3
    assert "0 Microphone" in said.out


@pytest.mark.parametrize(
    "words", [["live"], ["live", "--model", "x", "--save", "y"], ["live", "--model", "x", "--block", "0"]]
)
def test_wrong_calls_end_with_status_2(words):
    with pytest.raises(SystemExit, match="2"):
        main(words)
