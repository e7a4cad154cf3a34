"""Simulated rooms: what was asked for, the same every time, of use to a training."""

import csv

import numpy as np
import pytest

from sb_resizegan.augment.responses import check_responses
from sb_resizegan.augment.room_simulation import SAMPLE_RATE, draw_room, simulate_response
from sb_resizegan.commands import rooms
from sb_resizegan.dataio.recordings import Recordings

DRAWN = [draw_room(7, number) for number in range(200)]


def decay_seconds(response):
    """Reverberation time by the slope of the energy decay curve between −5 and −25 dB (Schroeder)."""
    energy = np.cumsum(response[::-1].astype(np.float64) ** 2)[::-1]
    level = 10 * np.log10(energy / energy[0])
    first, last = np.flatnonzero(level <= -5)[0], np.flatnonzero(level <= -25)[0]
    return 3 * (last - first) / SAMPLE_RATE


def test_rooms_are_within_their_ranges():
    for room in DRAWN:
        assert 0.1 <= room.t60 <= 1.2 and 0.3 <= room.distance <= 4.0
        for position in (room.voice, room.microphone):
            assert all(0.3 <= place <= edge - 0.3 for place, edge in zip(position, room.size, strict=True))
    times = np.array([room.t60 for room in DRAWN])
    # Dry rooms and reverberant ones are both there in number.
    assert 0.15 < (times < 0.25).mean() < 0.6 and 0.15 < (times > 0.6).mean() < 0.6


def test_a_room_depends_on_seed_and_number_alone():
    assert draw_room(7, 3) == DRAWN[3] != draw_room(8, 3)


@pytest.mark.parametrize("number", range(6))
def test_responses_decay_as_they_should_and_begin_with_the_direct_path(number):
    room = DRAWN[number]
    response = simulate_response(room)
    assert response.dtype == np.float32 and np.abs(response).max() == pytest.approx(0.9)
    assert 0.6 * room.t60 < decay_seconds(response) < 1.6 * room.t60
    arrival = np.flatnonzero(np.abs(response) > 0.05 * np.abs(response).max())[0]
    # The package delays everything by half its interpolation filter, 40 samples.
    assert arrival == pytest.approx(40 + room.distance / 343 * SAMPLE_RATE, abs=8)
    assert np.array_equal(response, simulate_response(room))


def test_the_command_makes_a_list_that_can_be_trained_with(tmp_path, capsys):
    folder = tmp_path / "rooms"
    assert rooms.main(["-o", str(folder), "--count", "3", "--seed", "7"]) == 0
    first = {path.name: path.read_bytes() for path in folder.glob("*.flac")}
    assert rooms.main(["-o", str(folder), "--count", "5", "--seed", "7"]) == 0
    assert "2 rooms simulated, 3 were there already" in capsys.readouterr().out
    assert all((folder / name).read_bytes() == content for name, content in first.items())
    with open(folder / "rooms.csv", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [float(row["t60_seconds"]) for row in rows] == [round(DRAWN[n].t60, 3) for n in range(5)]
    responses = Recordings(
        folder / "rooms.csv", impulse_responses=True, min_seconds=0.02, cache_folder=tmp_path
    )
    assert len(responses) == 5 and not responses.skipped
    check_responses(responses, 4 * SAMPLE_RATE)


def test_an_output_that_cannot_be_written(tmp_path, capsys):
    (tmp_path / "file").write_text("")
    status = rooms.main(["-o", str(tmp_path / "file"), "--count", "1"])
    assert status == 1 and len(capsys.readouterr().err.splitlines()) == 1
