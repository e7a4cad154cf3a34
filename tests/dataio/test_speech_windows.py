"""Windows come from active speech, evenly, filtered and levelled, and depend on seed and number alone."""

import json
import pickle

import numpy as np
import pytest
import soundfile
import torch
from scipy.signal import fftconvolve

from sb_resizegan.dataio.activity import active_regions
from sb_resizegan.dataio.audio import UnusableAudioError, read_mono
from sb_resizegan.dataio.prepare.speech import prepare_speech
from sb_resizegan.dataio.resampling import low_pass
from sb_resizegan.dataio.speech_windows import SpeechWindows

RATE = 16000


@pytest.fixture(scope="module")
def manifests(small_corpus, tmp_path_factory):
    folder = tmp_path_factory.mktemp("manifests")
    prepare_speech(small_corpus, folder)
    return folder


@pytest.fixture(scope="module")
def make_windows(small_corpus, manifests):
    return lambda **options: SpeechWindows(manifests / "train.json", data_root=small_corpus, **options)


@pytest.fixture(scope="module")
def windows(make_windows):
    return make_windows()


def folder_windows(folder, **options):
    """Windows of all files of a folder, without a split."""
    entries = {
        path.name: {"wav": str(path), "length": soundfile.info(path).duration}
        for path in sorted(folder.glob("*.wav"))
    }
    (folder / "all.json").write_text(json.dumps(entries))
    return SpeechWindows(folder / "all.json", **options)


def test_out_of_band_energy_is_gone(windows):
    batch = windows.fixed(512, seed=0)
    power = torch.fft.rfft(batch * torch.hann_window(2048)).abs().square().mean(0)
    frequency = torch.arange(1025) * RATE / 2048
    ratio = power[frequency > 1800].sum() / power.sum()
    assert 10 * torch.log10(ratio) < -60


def test_full_band_is_kept_on_request(make_windows):
    batch = make_windows(lowpass_hz=None).fixed(512, seed=0)
    power = torch.fft.rfft(batch * torch.hann_window(2048)).abs().square().mean(0)
    assert 10 * torch.log10(power[231:].sum() / power.sum()) > -30


def test_level_and_peak(windows):
    batch = windows.fixed(2048, seed=0)
    assert 10 * torch.log10(batch.square().mean()) == pytest.approx(-20.0, abs=0.7)
    assert batch.abs().max() <= 0.95


def test_level_does_not_depend_on_the_files(speech_files, tmp_path):
    waveform, _ = read_mono(speech_files[0])
    for name, gain in (("loud.wav", 1.0), ("quiet.wav", 0.01)):
        (tmp_path / name).mkdir()
        soundfile.write(tmp_path / name / "a.wav", gain * waveform, RATE, subtype="FLOAT")
    loud, quiet = (folder_windows(tmp_path / name).fixed(32, 0) for name in ("loud.wav", "quiet.wav"))
    torch.testing.assert_close(loud, quiet, atol=1e-4, rtol=0)


def test_windows_are_pieces_of_active_speech(speech_files, tmp_path):
    """Every window is found again, unaltered but for the gain, inside of a region, and all regions serve."""
    speech, _ = read_mono(speech_files[0])
    pause = np.zeros(RATE, dtype=np.float32)
    waveform = np.concatenate([pause, speech[:40000], pause, speech[40000:60000], pause])
    soundfile.write(tmp_path / "a.wav", waveform, RATE, subtype="FLOAT")
    filtered = low_pass(waveform, RATE, 1500.0)
    regions = active_regions(filtered, RATE, 2048)
    batch = folder_windows(tmp_path).fixed(100, seed=0).numpy()
    sizes = np.sqrt(fftconvolve(filtered.astype(np.float64) ** 2, np.ones(2048), "valid").clip(1e-3))
    used = set()
    for window in batch:
        cosine = fftconvolve(filtered, window[::-1], "valid") / (sizes * np.linalg.norm(window))
        start = int(cosine.argmax())
        assert cosine[start] > 1 - 1e-5
        inside = [n for n, (first, end) in enumerate(regions) if first <= start and start + 2048 <= end]
        assert len(inside) == 1
        used |= set(inside)
    assert len(used) > 1


def test_every_first_sample_is_equally_likely(tmp_path):
    """Random samples tell where a window begins, their sign from which file it is."""
    rng = np.random.default_rng(0)
    for name, length, sign in (("a.wav", 3000, 1), ("b.wav", 5000, -1)):
        soundfile.write(tmp_path / name, sign * rng.uniform(0.1, 0.5, length), RATE, subtype="FLOAT")
    windows = folder_windows(tmp_path, window_samples=2500, lowpass_hz=None)
    assert windows.number_of_windows == 501 + 2501
    drawn = torch.cat([windows.batch(n, 1000, seed=0)[:, [0, -1]] for n in range(30)]).numpy()
    np.testing.assert_array_equal(np.sign(drawn[:, 0]), np.sign(drawn[:, 1]))
    values, counts = np.unique(drawn[:, 0], return_counts=True)
    assert len(values) > 2990
    # A Poisson count of mean 10 has a variance of 10.
    assert counts.var() == pytest.approx(counts.mean(), rel=0.15)


def test_batch_is_a_function_of_seed_and_number(windows, make_windows):
    batch = windows.batch(5, 8, seed=1)
    torch.manual_seed(3)
    state = torch.get_rng_state()
    windows.batch(6, 8, seed=1)
    assert torch.equal(make_windows().batch(5, 8, seed=1), batch)
    assert torch.equal(torch.get_rng_state(), state)
    for n, seed in ((6, 1), (5, 2), (1, 5)):
        assert not torch.equal(windows.batch(n, 8, seed=seed), batch)


@pytest.mark.parametrize("world_size", [2, 4])
def test_processes_share_out_one_joint_batch(windows, world_size):
    joint = windows.batch(3, 16, seed=1)
    parts = [windows.batch(3, 16 // world_size, 1, rank, world_size) for rank in range(world_size)]
    assert torch.equal(torch.cat(parts), joint)


def test_fixed_windows_stay_and_are_not_the_training_ones(windows):
    fixed = windows.fixed(64, seed=0)
    assert torch.equal(windows.fixed(64, seed=0), fixed)
    assert torch.equal(windows.fixed(16, seed=0), fixed[:16])
    assert not torch.equal(windows.batch(0, 64, seed=0), fixed)


def test_file_and_memory_hold_the_same(windows, make_windows, tmp_path):
    mapped = make_windows(max_memory_gb=0.0, cache_folder=tmp_path)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()}
    assert len(before) == 3
    again = make_windows(max_memory_gb=0.0, cache_folder=tmp_path)
    assert {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()} == before
    expected = windows.batch(7, 32, seed=0)
    assert torch.equal(mapped.batch(7, 32, seed=0), expected)
    assert torch.equal(again.batch(7, 32, seed=0), expected)
    # To a worker process goes the file's name, not its megabytes.
    message = pickle.dumps(mapped)
    assert len(message) < 10_000
    assert torch.equal(pickle.loads(message).batch(7, 32, seed=0), expected)
    # Other options: another file in its place.
    make_windows(max_memory_gb=0.0, cache_folder=tmp_path, lowpass_hz=None)
    assert len(list(tmp_path.iterdir())) == 3


def test_half_written_file_is_not_used(windows, make_windows, tmp_path):
    make_windows(max_memory_gb=0.0, cache_folder=tmp_path)
    (samples,) = tmp_path.glob("*.f32")
    (index,) = tmp_path.glob("windows-*.json")
    index.unlink()
    samples.write_bytes(samples.read_bytes()[:1000])
    mapped = make_windows(max_memory_gb=0.0, cache_folder=tmp_path)
    assert torch.equal(mapped.batch(7, 32, seed=0), windows.batch(7, 32, seed=0))


def test_any_rate_and_channels(speech_files, tmp_path):
    waveform, _ = read_mono(speech_files[0])
    for rate in (8000, 44100):
        soundfile.write(tmp_path / f"{rate}.wav", np.stack([waveform, 0 * waveform], axis=1), rate)
    batch = folder_windows(tmp_path).fixed(16, seed=0)
    assert batch.shape == (16, 2048)
    assert batch.dtype == torch.float32
    assert (batch.square().mean(1) > 0).all()


def test_little_speech_does_not_crash(tmp_path):
    click = np.zeros(8000)
    click[4000:4200] = np.resize([0.4, -0.4], 200)
    soundfile.write(tmp_path / "click.wav", click, RATE)
    soundfile.write(tmp_path / "shorter than a window.wav", click[3000:4500], RATE)
    windows = folder_windows(tmp_path, lowpass_hz=None)
    assert windows.number_of_windows == 1
    assert torch.equal(*windows.fixed(2, seed=0))


def test_nothing_to_cut_from_is_an_error(tmp_path):
    soundfile.write(tmp_path / "silent.wav", np.zeros(8000), RATE)
    with pytest.raises(ValueError, match="at least one window of 2048 samples"):
        folder_windows(tmp_path)
    with pytest.raises(ValueError, match="at least one window of 2048 samples"):
        folder_windows(tmp_path, max_memory_gb=0.0)
    (tmp_path / "none.json").write_text("{}")
    with pytest.raises(ValueError, match=r"none\.json: expected at least one recording"):
        SpeechWindows(tmp_path / "none.json")


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_file_that_went_bad_is_named(speech_files, tmp_path, value):
    waveform, _ = read_mono(speech_files[0])
    waveform[30000] = value
    soundfile.write(tmp_path / "went bad.wav", waveform, RATE, subtype="FLOAT")
    with pytest.raises(UnusableAudioError, match=r"went bad\.wav: not finite"):
        folder_windows(tmp_path)


def test_samples_too_large_to_filter_are_named(speech_files, tmp_path):
    waveform, _ = read_mono(speech_files[0])
    soundfile.write(tmp_path / "huge.wav", 3e38 * np.sign(waveform), RATE, subtype="FLOAT")
    with pytest.raises(UnusableAudioError, match=r"huge\.wav: not finite"):
        folder_windows(tmp_path)


def test_missing_data_root_is_named(manifests):
    with pytest.raises(ValueError, match="data_root"):
        SpeechWindows(manifests / "train.json")


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("window_samples", 0),
        ("window_samples", 20.5),
        ("sample_rate", -1),
        ("lowpass_hz", 9000.0),
        ("lowpass_hz", 0.0),
        ("lowpass_hz", float("nan")),
        ("level_db", 3.0),
        ("level_db", float("nan")),
        ("max_memory_gb", -1.0),
    ],
)
def test_wrong_options_are_named(make_windows, key, value):
    with pytest.raises(ValueError, match=f"{key}: expected"):
        make_windows(**{key: value})


@pytest.mark.parametrize(
    ("key", "value"),
    [("n", -1), ("seed", -1), ("seed", 0.5), ("batch_size", 0), ("rank", 1), ("world_size", 0)],
)
def test_wrong_batch_arguments_are_named(windows, key, value):
    with pytest.raises(ValueError, match=f"{key}: expected"):
        windows.batch(**{"n": 0, "batch_size": 4, "seed": 0, key: value})
