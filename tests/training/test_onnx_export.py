"""An ONNX file gives what PyTorch gives, runs without it, and what is no such file is named in one line."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
import soundfile
import torch

from sb_resizegan.commands.main import main
from sb_resizegan.inference import ModelSourceError, StreamingEnhancement
from sb_resizegan.models.following_generator import FollowingGenerator
from sb_resizegan.training.onnx_export import OPSET, export_onnx, quantise_onnx
from tests.inference.small import exported_causal, small_generator, small_model

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A model with latents, exported by the command, and one that follows the level, by the function."""
    folder = tmp_path_factory.mktemp("onnx")
    exported_causal(folder / "spectral")
    (folder / "spectral" / "README.md").write_text("# Card\n\n## Data and licence\nMade of noise.\nCC0.\n")
    assert main(["export", str(folder / "spectral"), "--onnx", str(folder / "spectral.onnx")]) == 0
    torch.manual_seed(0)
    following = FollowingGenerator(
        channels=8, time_units=8, band_units=8, blocks=1, causal=True, latent_dim=0, follow_seconds=0.2
    )
    export_onnx(following, 16000, folder / "following.onnx")
    torch.save(following, folder / "following.pt")
    return folder


def minute(seconds=60):
    """Noise whose level changes."""
    random = np.random.default_rng(0)
    level = np.repeat(10 ** random.uniform(-3, -1, 4 * seconds), 4000)
    return (level * random.standard_normal(16000 * seconds)).clip(-1, 1).astype(np.float32)


@pytest.fixture(scope="module")
def speech(speech_files):
    """A minute of studio speech with some noise."""
    waveform = np.concatenate([soundfile.read(path, dtype="float32")[0] for path in speech_files[:12]])
    return (waveform[: 60 * 16000] + 0.003 * minute()).astype(np.float32)


@pytest.mark.parametrize("name", ["spectral", "following"])
def test_a_minute_of_speech_is_that_of_pytorch(folder, speech, name):
    signal = speech
    assert len(signal) == 60 * 16000
    if name == "spectral":
        generator = small_generator(causal=True)
    else:
        generator = torch.load(folder / "following.pt", weights_only=False)
    whole = small_model(generator).enhance_batch(signal).numpy()
    stream = StreamingEnhancement.from_onnx(folder / f"{name}.onnx")
    output = np.concatenate([*(stream.push(part) for part in np.array_split(signal, 100)), stream.flush()])
    assert np.abs(whole - signal).max() > 0.01
    # The untrained outputs reach several times full scale.
    np.testing.assert_allclose(output, whole, atol=1e-5 * max(1, np.abs(whole).max()))


@pytest.mark.parametrize("name", ["spectral", "following"])
def test_silence_is_silence(folder, name):
    stream = StreamingEnhancement.from_onnx(folder / f"{name}.onnx")
    generator = small_generator(causal=True)
    if name == "following":
        generator = torch.load(folder / "following.pt", weights_only=False)
    signal = np.concatenate([np.zeros(3000), 1e-5 * minute(1)[:3000], np.zeros(3000)]).astype(np.float32)
    output = np.concatenate([stream.push(signal), stream.flush()])
    np.testing.assert_allclose(output, small_model(generator).enhance_batch(signal).numpy(), atol=1e-6)


def test_the_file_says_what_it_is(folder):
    model = onnx.load(folder / "spectral.onnx")
    onnx.checker.check_model(model)
    said = {entry.key: entry.value for entry in model.metadata_props}
    expected = {"sample_rate": "16000", "hop": "256", "latent_dim": "4", "latency_seconds": "0.032"}
    assert expected.items() <= said.items()
    assert said["licence"] == "Made of noise. CC0." and said["model"] == "spectral"
    assert [(entry.domain, entry.version) for entry in model.opset_import] == [("", OPSET)]
    kinds = {node.op_type for node in model.graph.node}
    assert not kinds & {"DFT", "STFT", "If", "Loop"} and "LSTM" in kinds
    types = {entry.type.tensor_type.elem_type for entry in [*model.graph.input, *model.graph.output]}
    assert types == {onnx.TensorProto.FLOAT}


def test_the_noisy_share_mixes_the_hop_before(folder):
    import onnxruntime

    session = onnxruntime.InferenceSession(folder / "following.onnx", providers=["CPUExecutionProvider"])
    feeds = {entry.name: np.zeros(entry.shape, np.float32) for entry in session.get_inputs()}
    feeds["heard"] = minute(1)[None, :256]
    feeds["samples"], feeds["noisy_share"] = minute(1)[None, 256:512], np.ones(1, np.float32)
    np.testing.assert_allclose(session.run(None, feeds)[0], feeds["heard"], atol=1e-7)


def test_several_channels_and_another_rate(folder):
    signal = np.stack([minute(1)[:9000], minute(1)[7000:]])
    options = {"sample_rate": 48000, "channels": 2, "strength": 0.7}
    streams = (
        StreamingEnhancement.from_onnx(folder / "spectral.onnx", **options),
        StreamingEnhancement.of_model(small_model(small_generator(causal=True)), **options),
    )
    outputs = [np.concatenate([stream.push(signal), stream.flush()], axis=1) for stream in streams]
    np.testing.assert_allclose(*outputs, atol=1e-5)
    assert streams[0].latency_seconds == streams[1].latency_seconds


def test_the_example_runs_on_numpy_and_onnxruntime_alone(folder, tmp_path):
    signal = minute(2)[:20001]
    soundfile.write(tmp_path / "noisy.wav", signal, 16000, subtype="PCM_16")
    example = ROOT / "examples" / "stream_onnx.py"
    blocker = (
        f"import sys, runpy\nsys.modules['torch'] = sys.modules['sb_resizegan'] = None\n"
        f"runpy.run_path({str(example)!r}, run_name='__main__')"
    )
    words = [folder / "following.onnx", tmp_path / "noisy.wav", tmp_path / "enhanced.wav"]
    subprocess.run([sys.executable, "-c", blocker, *map(str, words)], check=True, timeout=300)
    stream = StreamingEnhancement.from_onnx(folder / "following.onnx")
    heard = soundfile.read(tmp_path / "noisy.wav", dtype="float32")[0]
    expected = np.concatenate([stream.push(heard), stream.flush()]).clip(-1, 1)
    np.testing.assert_allclose(soundfile.read(tmp_path / "enhanced.wav")[0], expected, atol=1e-4)
    assert len(example.read_text().splitlines()) <= 45


def test_int8_is_smaller_and_near(folder, tmp_path):
    path = quantise_onnx(folder / "spectral.onnx", tmp_path / "int8.onnx")
    assert path.stat().st_size < (folder / "spectral.onnx").stat().st_size
    outputs = [
        StreamingEnhancement.from_onnx(file).push(minute(2)) for file in (folder / "spectral.onnx", path)
    ]
    error, level = np.std(outputs[1] - outputs[0]), np.std(outputs[0])
    assert 0 < error < 0.1 * level


def broken(folder, name):
    """Files that are no streaming step of this project."""
    whole = (folder / "spectral.onnx").read_bytes()
    path = folder / f"{name}.onnx"
    if name == "cut off":
        path.write_bytes(whole[: len(whole) // 2])
    if name == "of no format":
        path.write_bytes(b"RIFF" * 100)
    if name == "another model's":
        value = onnx.helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, [1])
        graph = onnx.helper.make_graph(
            [onnx.helper.make_node("Identity", ["x"], ["y"])],
            "g",
            [value],
            [onnx.helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, [1])],
        )
        onnx.save(
            onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", OPSET)], ir_version=9),
            path,
        )
    if name == "empty":
        path.write_bytes(b"")
    if name in ("of another hop", "without its rate", "with another output"):
        model = onnx.load(folder / "spectral.onnx")
        said = {entry.key: entry for entry in model.metadata_props}
        if name == "of another hop":
            said["hop"].value = "128"
        elif name == "without its rate":
            model.metadata_props.remove(said["sample_rate"])
        else:
            model.graph.output.pop()
        onnx.save(model, path)
    return path


@pytest.mark.parametrize(
    "name",
    [
        *("missing", "cut off", "of no format", "another model's", "empty"),
        *("of another hop", "without its rate", "with another output"),
    ],
)
def test_what_is_no_such_file_is_named_in_one_line(folder, name):
    with pytest.raises(ModelSourceError, match=name) as caught:
        StreamingEnhancement.from_onnx(broken(folder, name))
    assert "\n" not in str(caught.value)


def test_a_model_that_looks_ahead_is_not_exported(tmp_path, capsys):
    assert main(["export", "enhance-base", "--onnx", str(tmp_path / "a.onnx")]) == 1
    assert "cannot run on a stream" in capsys.readouterr().err and not (tmp_path / "a.onnx").exists()
    with pytest.raises(SystemExit):
        main(["export", "enhance-base", "--int8"])
