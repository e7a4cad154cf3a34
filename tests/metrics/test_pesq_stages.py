"""The stages of PESQ one by one: against plain programs, and on signals whose answer is known."""

import numpy as np
import torch
from scipy.signal import sosfilt

from sb_resizegan.metrics.pesq import numbers
from sb_resizegan.metrics.pesq.aggregation import aggregate, mos_lqo
from sb_resizegan.metrics.pesq.bad_intervals import Retimed, find_bad_intervals, realign
from sb_resizegan.metrics.pesq.envelope import EnvelopeRanges, envelope_lags
from sb_resizegan.metrics.pesq.filters import alignment_filter, wideband_filter
from sb_resizegan.metrics.pesq.fine_delay import FrameRuns, delay_histograms, read_delay
from sb_resizegan.metrics.pesq.layout import Geometry, Lengths, quotient
from sb_resizegan.metrics.pesq.level import level_align
from sb_resizegan.metrics.pesq.perceptual import (
    Region,
    active_region,
    band_powers,
    compensate_filtering,
    loudness,
    smoothed_gain,
)
from sb_resizegan.metrics.pesq.recursion import recursive_filter
from sb_resizegan.metrics.pesq.sections import Utterance, find_sections
from sb_resizegan.metrics.pesq.splitting import MOST_UTTERANCES, Node, _read
from sb_resizegan.metrics.pesq.voice_activity import runs, voice_activity


def noise(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def lengths(*samples):
    return Lengths.of(np.array(samples), torch.device("cpu"))


def test_quotient_truncates_towards_zero():
    values = np.arange(-200, 200)
    assert (quotient(values, 64) == np.trunc(values / 64).astype(int)).all()
    assert [quotient(int(v), 64) for v in values] == quotient(values, 64).tolist()


def test_band_table_covers_every_used_bin_once():
    assert sum(numbers.BAND_BINS) == 256
    powers = band_powers(noise(3, 512))
    assert powers.shape == (3, 48) and (powers > 0).all()


def test_recursive_filter_is_scipys(tmp_path):
    signal = noise(2, 5003).double()
    signal[1, 2000:] = 0.0
    for sections in ((numbers.WIDEBAND_SECTION,), numbers.ALIGNMENT_SECTIONS):
        expected = sosfilt(np.asarray(sections), signal.numpy())
        ours = recursive_filter(signal, sections).numpy()
        assert np.abs(ours - expected).max() < 1e-9 * np.abs(expected).max()
        # In the silence, what rings on is right to many digits although it is tiny.
        ringing = slice(2900, 2950)
        assert np.allclose(ours[1, ringing], expected[1, ringing], rtol=1e-4, atol=0)


def test_wideband_filter_stops_hum_and_passes_speech_frequencies():
    time = torch.arange(32000) / 16000
    tones = torch.stack([torch.sin(2 * torch.pi * f * time) for f in (20.0, 1000.0)])
    out = wideband_filter(tones, lengths(32000, 32000))
    gain = out[:, 8000:24000].std(1) / tones[:, 8000:24000].std(1)
    assert gain[0] < 0.12 and gain[1] > 2.5


def test_alignment_filter_rings_on_after_the_end():
    out = alignment_filter(noise(1, 8000), lengths(8000), lengths(17600))
    assert out.shape == (1, 8512)
    assert out[0, 8000:8010].abs().max() > 0 and out[0, 8500:].abs().max() < 1e-6 * out.abs().max()


def test_level_alignment_brings_the_telephone_band_to_one_power():
    time = torch.arange(40000) / 16000
    inside, outside = (torch.sin(2 * torch.pi * f * time) for f in (1000.0, 6000.0))
    samples = lengths(40000, 40000)
    both = level_align(torch.stack([1e-2 * inside, 1e-2 * inside + outside]), samples, samples)
    power = both[0].square().sum() / (40000 + 5120)
    assert abs(power / 1e7 - 1) < 0.01
    # What lies outside the band does not count.
    tone = both[1] @ inside / (inside @ inside) / (both[0] @ inside / (inside @ inside))
    assert abs(tone - 1) < 0.05


def test_voice_activity_bridges_short_gaps_and_drops_clicks():
    energy = np.full((2, 600), 1e-4)
    energy[0, 100:200] = energy[0, 240:300] = 1.0
    energy[0, 400:403] = 1.0
    energy[1, 100:200] = energy[1, 260:330] = 1.0
    activity, envelope = voice_activity(energy, np.array([600, 600]))
    row, start, end = runs(activity > 0)
    assert list(zip(row.tolist(), start.tolist(), end.tolist(), strict=True)) == [
        (0, 98, 302),
        (1, 98, 202),
        (1, 258, 332),
    ]
    assert (envelope[0, 100:200] > 0).all() and envelope[0, 210:230].max() == 0


def test_voice_activity_takes_everything_where_nothing_stands_out():
    activity, _ = voice_activity(np.ones((1, 300)), np.array([300]))
    assert runs(activity > 0)[1].tolist() == [1] and runs(activity > 0)[2].tolist() == [299]


def test_sections_of_one_pair_are_limited_without_touching_the_others():
    slots = 100 * 120 + 200
    activity = np.zeros((2, slots))
    for number in range(100):
        activity[0, 100 + 120 * number : 160 + 120 * number] = 1.0
    activity[1, 100:160] = 1.0
    samples = np.array([64 * slots - 9600] * 2)
    item, start, _ = find_sections(activity, Geometry(samples, samples), np.zeros(2, dtype=int))
    assert (item == 0).sum() == MOST_UTTERANCES and start[0] == 100
    assert (item == 1).sum() == 1


def test_envelope_lag_is_that_of_the_plain_correlation():
    generator = np.random.default_rng(0)
    a, c = np.maximum(generator.standard_normal((2, 4, 300)), 0)
    ranges = EnvelopeRanges(
        *(np.array(v) for v in ([0, 1, 2, 3], [0, 5, 9, 0], [300, 90, 2, 1], [0, 50, 0, 0], [300, 70, 40, 9]))
    )
    lags, _ = envelope_lags(torch.from_numpy(a), torch.from_numpy(c), ranges)
    for k in range(4):
        i, b, p, s, q = (int(v[k]) for v in vars(ranges).values())
        plain = np.correlate(c[i, s : s + q], a[i, b : b + p], mode="full")
        expected = int(plain.argmax()) - (p - 1) if p > 1 and q > 1 else 0
        assert lags[k] == expected


def test_envelopes_without_overlap_have_no_lag():
    zero = torch.zeros(1, 200)
    whole = EnvelopeRanges(*(np.array([v]) for v in (0, 0, 200, 0, 200)))
    assert envelope_lags(zero, noise(1, 200).abs(), whole)[0].tolist() == [0]


def test_fine_delay_is_exact_for_shifted_noise():
    signal = noise(1, 20000)
    for shift in (-300, -1, 0, 77, 500):
        run = FrameRuns(*(np.array([v]) for v in (0, 2000, 2000, 40, 256, 0)))
        histograms = delay_histograms(signal, signal.roll(shift, 1), torch.hann_window(1024)[None], run)
        delay, confidence = read_delay(histograms)
        assert delay.tolist() == [shift] and confidence.item() > 0.99


def test_a_frame_run_adds_up_from_its_parts():
    signal = noise(1, 20000)
    whole = FrameRuns(*(np.array([v]) for v in (0, 100, 130, 30, 256, 0)))
    parts = FrameRuns(
        *(np.array(v) for v in ([0, 0], [100, 100 + 2560], [130, 130 + 2560], [10, 20], [256, 256], [0, 0]))
    )
    window = torch.hann_window(1024)[None]
    together = delay_histograms(signal, signal.roll(9, 1), window, whole)
    summed = delay_histograms(signal, signal.roll(9, 1), window, parts, chunk=7).sum(0)
    assert torch.allclose(together[0], summed, atol=1e-4)


def test_the_limit_of_fifty_utterances_holds_in_the_order_of_the_file():
    def leaf(n):
        return Utterance(n, n + 1, 0, 0, 1.0)

    trees = [Node(0, leaf(10 * n), [Node(0, leaf(10 * n)), Node(0, leaf(10 * n + 5))]) for n in range(40)]
    found = _read(trees)
    assert len(found) == 50
    assert [u.start for u in found] == sorted([10 * n for n in range(40)] + [10 * n + 5 for n in range(10)])


def test_active_region_is_that_of_a_plain_search():
    signal = torch.zeros(3, 30000)
    signal[0, 5000:20000] = 300 * noise(15000)
    signal[1, 29990:] = 101.0
    signal[2] = 1.0
    n, tail = 30000, 5120
    region = active_region(signal, torch.full((3,), n))
    padded = np.pad(np.abs(signal.numpy()), ((0, 0), (4, tail + 4)))
    for row in range(3):
        five = np.convolve(padded[row], np.ones(5), mode="valid")  # window starting at sample t - 4
        start = next((k for k in range(19800) if five[k + 4] >= 500), 19800)
        stop = next((k for k in range(19800) if five[n + tail - 5 - k + 4] >= 500), 19800)
        assert region.first[row] == start // 256
        assert region.last[row] == (n + tail - stop) // 256 - 1


def test_smoothed_gain_is_the_recursion():
    ratio = noise(2, 50).double().exp()
    y = ratio[:, 0].clone()
    expected = []
    for f in range(50):
        y = 0.2 * y + 0.8 * ratio[:, f] if f else ratio[:, 0].clone()
        expected.append(y.clamp(3e-4, 5.0))
    assert torch.allclose(smoothed_gain(ratio, ratio[:, :1]), torch.stack(expected, 1), atol=1e-12)


def test_a_filtered_copy_is_partly_compensated():
    reference = 1e7 * torch.rand(1, 60, 48, generator=torch.Generator().manual_seed(0)) + 1e6
    degraded = reference * torch.linspace(0.05, 1, 48)
    longest = torch.tensor([60 * 256 + 256 - 5120])
    compensated = compensate_filtering(reference, degraded, torch.ones(1, 60, dtype=torch.bool), longest)
    # The lowest bands lie below the threshold that counts.
    assert ((compensated / degraded - 1).abs() < 0.01)[..., 8:].all()


def test_loudness_is_zero_below_the_threshold_and_rises_above_it():
    threshold = torch.tensor(numbers.BAND_THRESHOLD[1:])
    assert (loudness(0.99 * threshold) == 0).all()
    steps = torch.stack([loudness(factor * threshold) for factor in (1.0, 2.0, 10.0, 1e6)])
    assert (steps.diff(dim=0) > 0).all()


def test_bad_intervals_bridge_gaps_and_need_five_frames():
    disturbance = torch.zeros(2, 60)
    disturbance[0, [10, 11, 14, 15]] = 40.0
    disturbance[0, 30:33] = 40.0
    disturbance[1, 0:9] = 40.0
    item, start, end = find_bad_intervals(disturbance, torch.tensor([59, 59]))
    assert item.tolist() == [0, 1]
    assert start.tolist() == [10, 2] and end.tolist() == [16, 9]


def test_second_alignment_finds_a_shift_and_ignores_what_is_unrelated():
    n = 16000
    reference = torch.nn.functional.pad(100 * noise(1, n), (4800, 4800 + 5120))
    related = torch.nn.functional.pad(reference[:, 4800 : 4800 + n].roll(300, 1), (4800, 4800 + 5120))
    silent = torch.zeros_like(related)
    for degraded, expected in ((related, 300), (silent, 0)):
        retimed = Retimed(degraded, torch.zeros(1, 600, dtype=torch.long), torch.tensor([n]))
        delay = realign(reference, retimed, np.array([0]), np.array([10]), np.array([30]))
        assert delay.tolist() == [expected]


def test_aggregation_is_the_plain_double_loop():
    values = noise(1, 1400).abs().double() * 10
    first, last, n = 7, 1333, 1400 * 256
    w, g = [], []
    nominal = n // 256 - 1
    slope = min(0.5, (nominal - 1000) / 5500)
    for start in range(first, last + 1, 10):
        frames = values[0, start : min(start + 20, last + 1)]
        g.append((frames.pow(6).sum() / 20) ** (1 / 6))
        w.append((1 - slope) + slope * (start - first) / nominal)
    w, g = torch.tensor(w, dtype=torch.float64), torch.stack(g)
    expected = ((w * g).square().sum() / w.square().sum()).sqrt()
    ours = aggregate(values, Region(torch.tensor([first]), torch.tensor([last])), torch.tensor([n]))
    assert torch.allclose(ours[0], expected, rtol=1e-9)


def test_mapping_rises_with_the_raw_score():
    scores = mos_lqo(torch.linspace(-1, 4.5, 50))
    assert (scores.diff() > 0).all() and scores[0] > 0.999 and scores[-1] < 4.65
