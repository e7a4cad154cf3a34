"""Segments that a vocoder is trained on: their levels, and that they depend on seed and number alone."""

import pytest
import torch

from sb_resizegan.augment.speech_segments import SpeechSegments
from sb_resizegan.dataio.recordings import Recordings


@pytest.fixture(scope="module")
def speech(small_corpus, tmp_path_factory):
    return Recordings(small_corpus, cache_folder=tmp_path_factory.mktemp("cache"))


def test_active_speech_has_the_levels_that_were_asked_for(speech):
    segments = SpeechSegments(speech, 32000, level_db=(-34.0, -20.0)).fixed(40, seed=3)
    assert segments.abs().max() <= 0.99
    # The loudest fifth of a segment's frames is active, some dB above the mean of what is.
    power = segments.unfold(1, 320, 320).square().mean(dim=2)
    active = 10 * power.sort(dim=1, descending=True).values[:, : power.shape[1] // 5].mean(dim=1).log10()
    assert -34 < active.mean() < -16
    assert active.max() - active.min() > 8


def test_a_batch_depends_on_seed_and_number_alone_and_is_shared_out(speech):
    source = SpeechSegments(speech, 8000)
    joint = source.batch(7, 4, seed=1)
    assert torch.equal(joint, SpeechSegments(speech, 8000).batch(7, 4, seed=1))
    parts = [source.batch(7, 2, seed=1, rank=rank, world_size=2) for rank in range(2)]
    assert torch.equal(joint, torch.cat(parts))
    others = [source.batch(8, 4, seed=1), source.batch(7, 4, seed=2), source.fixed(4, seed=1)]
    assert all(not torch.equal(joint, other) for other in others)


def test_wrong_options_are_named(speech):
    with pytest.raises(ValueError, match="segment_samples"):
        SpeechSegments(speech, 0)
    with pytest.raises(ValueError, match="level_db"):
        SpeechSegments(speech, 8000, level_db=(-10.0, -20.0))
    assert SpeechSegments(speech, 8000).batch(0, 1, seed=0).isfinite().all()
