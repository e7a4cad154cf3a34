"""Agreement of batched PESQ with the ``pesq`` package, score by score."""

import numpy as np
import pesq as official
import pytest
import soundfile
import torch

from sb_resizegan.metrics.pesq import PesqStatus, pesq, pesq_details, pesq_raw
from tests.metrics.degradations import DEGRADATIONS, make_pair

LONG = [name for name in DEGRADATIONS if name.startswith("long")]
USUAL = [name for name in DEGRADATIONS if name not in LONG]


@pytest.fixture(scope="module")
def recordings(corpus_folder):
    """Sixty prompts of 2 to 8 seconds."""
    paths = [p for p in sorted(corpus_folder.rglob("*.wav")) if 2 < soundfile.info(p).duration < 8]
    return [soundfile.read(p, dtype="float32")[0] for p in paths[:60]]


def batched(pairs):
    """Pairs of any lengths as padded tensors with relative lengths; the padding is noise, not zeros."""
    generator = torch.Generator().manual_seed(0)
    out = []
    for side in (0, 1):
        longest = max(len(pair[side]) for pair in pairs)
        padded = 0.1 * torch.randn(len(pairs), longest, generator=generator)
        for row, pair in zip(padded, pairs, strict=True):
            row[: len(pair[side])] = torch.from_numpy(pair[side])
        out += [padded, torch.tensor([len(pair[side]) / longest for pair in pairs], dtype=torch.float64)]
    reference, lengths, degraded, degraded_lengths = out
    return {
        "reference": reference,
        "degraded": degraded,
        "lengths": lengths,
        "degraded_lengths": degraded_lengths,
    }


def test_every_degradation_scores_as_the_package_does(recordings):
    pairs = [make_pair(name, recordings, seed) for name in USUAL for seed in (0, 1)]
    expected = np.array([official.pesq(16000, *pair, "wb") for pair in pairs])
    scores = pesq(**batched(pairs)).numpy()
    difference = np.abs(scores - expected)
    worst = int(difference.argmax())
    assert difference.max() <= 0.005, f"{USUAL[worst // 2]}: {scores[worst]} against {expected[worst]}"
    assert difference.mean() <= 1e-4
    assert expected.max() - expected.min() > 2, "the pairs are to span the scale"


@pytest.mark.parametrize("name", LONG)
def test_long_files_with_delay_jumps_score_as_the_package_does(recordings, name):
    reference, degraded = make_pair(name, recordings, 5)
    details = pesq_details(torch.from_numpy(reference), torch.from_numpy(degraded))
    assert abs(details.mos_lqo.item() - official.pesq(16000, reference, degraded, "wb")) <= 0.005
    assert len({utterance.delay for utterance in details.alignment.utterances[0]}) > 1


def test_padding_in_a_batch_changes_nothing(recordings):
    names = ["white_noise", "delay_jumps", "short", "inserted_sound", "unequal_lengths", "griffin_lim"]
    pairs = [make_pair(name, recordings, 7) for name in names]
    together = pesq(**batched(pairs))
    alone = torch.cat([pesq(*map(torch.from_numpy, pair)) for pair in pairs])
    assert (together - alone).abs().max() <= 1e-4


def test_refusals_are_those_of_the_package_and_spoil_no_other_item(recordings):
    speech, degraded = make_pair("white_noise", recordings, 3)
    silence, broken, infinite = np.zeros_like(speech), degraded.copy(), degraded.copy()
    broken[1234], infinite[4321] = np.nan, np.inf
    cases = {
        "too short": (speech[:3999], degraded[:3999], PesqStatus.TOO_SHORT),
        "silent reference": (silence, degraded, PesqStatus.SILENT_REFERENCE),
        "silent degraded": (speech, silence, PesqStatus.SILENT_DEGRADED),
        "both silent": (silence, silence, PesqStatus.SILENT_REFERENCE),
        "NaN in degraded": (speech, broken, PesqStatus.NON_FINITE),
        "NaN in reference": (broken, speech, PesqStatus.NON_FINITE),
        "infinity in degraded": (speech, infinite, PesqStatus.NON_FINITE),
        "infinity in reference": (infinite, speech, PesqStatus.NON_FINITE),
        "click of 160 ms": (
            np.pad(speech[9000:11560], (8000, 8000)),
            degraded[:18560],
            PesqStatus.NO_UTTERANCES,
        ),
    }
    for name, (reference, other, _) in cases.items():
        with pytest.raises((official.PesqError, ValueError)), np.errstate(invalid="ignore"):
            print(name, official.pesq(16000, reference, other, "wb"))
    good = (speech, degraded)
    details = pesq_details(**batched([good, *[case[:2] for case in cases.values()], good]))
    assert details.status.tolist() == [0, *[int(case[2]) for case in cases.values()], 0]
    assert torch.isnan(details.mos_lqo[1:-1]).all() and torch.isnan(details.raw[1:-1]).all()
    expected = official.pesq(16000, *good, "wb")
    assert np.allclose(details.mos_lqo[[0, -1]].numpy(), expected, atol=0.005)


def test_score_ignores_a_common_gain_and_the_polarity(recordings):
    reference, degraded = map(torch.from_numpy, make_pair("babble", recordings, 1))
    score = pesq(reference, degraded)
    assert torch.allclose(pesq(1e-3 * reference, 1e-3 * degraded), score, atol=1e-4)
    assert torch.allclose(pesq(reference, -degraded), score, atol=1e-4)
    assert torch.allclose(pesq(reference.double(), degraded.double()).float(), score, atol=1e-3)


def test_identical_signals_get_the_highest_score(recordings):
    speech = torch.from_numpy(recordings[0])
    assert pesq_raw(speech, speech).item() == 4.5
    assert abs(pesq(speech, speech).item() - 4.643888) < 1e-5


def test_details_show_a_delay_jump_where_it_is(recordings):
    speech = np.concatenate([recordings[0], np.zeros(8000, np.float32), recordings[1]])
    split = len(recordings[0]) + 4000
    late = np.concatenate([speech[:split], np.zeros(800, np.float32), speech[split:-800]])
    details = pesq_details(torch.from_numpy(speech), torch.from_numpy(late))
    utterances = details.alignment.utterances[0]
    assert [utterances[0].delay, utterances[-1].delay] == [0, 800]
    first_late = next(u for u in utterances if u.delay == 800)
    assert abs(64 * first_late.start - 4800 - split) < 8000
    assert details.symmetric.shape == details.asymmetric.shape
    assert details.total_symmetric.item() >= 0


def test_bad_intervals_are_where_the_sound_was_inserted(recordings):
    speech = recordings[2].copy()
    degraded = speech.copy()
    degraded[16000:24000] += 0.05 * np.random.default_rng(0).standard_normal(8000).astype(np.float32)
    found = pesq_details(torch.from_numpy(speech), torch.from_numpy(degraded)).bad_intervals
    bad = np.zeros(len(speech) // 256, dtype=bool)
    for start, end in zip(found.start, found.end, strict=True):
        bad[start:end] = True
    inserted = slice(16000 // 256 - 2, 24000 // 256 + 2)
    assert bad[inserted].mean() > 0.5 and bad[inserted].sum() > 0.8 * bad.sum()
