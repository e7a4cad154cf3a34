"""PESQ collected over a validation set."""

import io
import math

import pytest
import torch
from speechbrain.utils.metric_stats import MetricStats

from sb_resizegan.metrics.pesq import PesqStats, PesqStatus, pesq


def noisy_pairs(batch, seed):
    generator = torch.Generator().manual_seed(seed)
    clean = torch.randn(batch, 12000, generator=generator)
    level = torch.linspace(0.05, 2, batch)[:, None]
    return clean, clean + level * torch.randn(clean.shape, generator=generator)


def test_summary_is_that_of_metric_stats():
    ours = PesqStats()
    theirs = MetricStats(metric=lambda predict, target, lengths: pesq(target, predict, lengths=lengths))
    for number in range(2):
        clean, noisy = noisy_pairs(3, number)
        arguments = {"predict": noisy, "target": clean, "lengths": torch.tensor([1.0, 0.9, 0.6])}
        for stats in (ours, theirs):
            stats.append([f"{number}-{i}" for i in range(3)], **arguments)
    for field, value in theirs.summarize().items():
        found = ours.summarize(field)
        assert found == value if field.endswith("id") else math.isclose(found, value, abs_tol=1e-5)
    assert ours.ids == theirs.ids and len(ours.scores) == 6
    assert isinstance(ours, MetricStats)


def test_failures_are_counted_and_named_and_stay_out_of_the_mean():
    clean, noisy = noisy_pairs(4, 0)
    broken = noisy.clone()
    broken[1, 5] = torch.nan
    silent = clean.clone()
    silent[2] = 0.0
    stats = PesqStats()
    stats.append(["good", "nan", "silent", "short"], broken, silent, torch.tensor([1.0, 1.0, 1.0, 0.2]))
    summary = stats.summarize()
    assert summary["failures"] == {
        "NON_FINITE": ["nan"],
        "SILENT_REFERENCE": ["silent"],
        "TOO_SHORT": ["short"],
    }
    assert (summary["scored"], summary["failed"], summary["min_id"]) == (1, 3, "good")
    assert math.isclose(summary["average"], pesq(clean[:1], noisy[:1]).item(), abs_tol=1e-5)
    assert stats.statuses[3] is PesqStatus.TOO_SHORT and math.isnan(stats.scores[3])
    stream = io.StringIO()
    stats.write_stats(stream)
    assert "not scored: 3" in stream.getvalue() and "TOO_SHORT: short" in stream.getvalue()


def test_nothing_to_score_is_said_and_not_an_error():
    stats = PesqStats()
    stats.append(["a"], torch.zeros(1, 8000), torch.zeros(1, 8000))
    summary = stats.summarize()
    assert math.isnan(summary["average"]) and summary["min_id"] is None and summary["failed"] == 1


def test_clear_starts_anew_and_wrong_numbers_of_ids_are_errors():
    clean, noisy = noisy_pairs(2, 0)
    stats = PesqStats()
    with pytest.raises(ValueError, match="expected 2 ids, but got 1"):
        stats.append(["a"], noisy, clean)
    stats.append(["a", "b"], noisy, clean)
    stats.clear()
    stats.append(["c", "d"], clean, clean)
    assert stats.summarize("min_id") == "c" and stats.summarize("scored") == 2
