"""What tests of stored recordings share."""

import pytest

from sb_resizegan.dataio import recordings_cache
from sb_resizegan.dataio.audio import read_mono


@pytest.fixture
def count_decoded(monkeypatch):
    """Counts the files that are read, without changing how."""
    read = []

    def counting_read_mono(path, channel=None):
        read.append(path)
        return read_mono(path, channel)

    monkeypatch.setattr(recordings_cache, "read_mono", counting_read_mono)
    return read
