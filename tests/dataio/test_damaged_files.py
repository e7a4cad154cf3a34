"""Broken sound files of every format: all of the recording, or an error that names the file."""

import itertools
import os
import struct

import numpy as np
import pytest
import soundfile

from sb_resizegan.dataio.audio import UnusableAudioError, audio_header, mono_blocks, read_mono
from sb_resizegan.dataio.cut_windows import cut_windows
from sb_resizegan.dataio.long_files import StreamedFile
from sb_resizegan.dataio.prepare.speech import examine_file
from sb_resizegan.dataio.recordings import NoRecordingsError, Recordings
from sb_resizegan.dataio.utterances import read_pair

RATE = 16000
FORMATS = {
    "wav": ("WAV", "PCM_16"),
    "float.wav": ("WAV", "FLOAT"),
    "ex.wav": ("WAVEX", "PCM_24"),
    "adpcm.wav": ("WAV", "IMA_ADPCM"),
    "ulaw.wav": ("WAV", "ULAW"),
    "rf64": ("RF64", "PCM_16"),
    "w64": ("W64", "PCM_16"),
    "aiff": ("AIFF", "PCM_16"),
    "float.aiff": ("AIFF", "FLOAT"),
    "au": ("AU", "PCM_16"),
    "caf": ("CAF", "PCM_16"),
    "alac.caf": ("CAF", "ALAC_16"),
    "nist": ("NIST", "PCM_16"),
    "flac": ("FLAC", "PCM_16"),
    "ogg": ("OGG", "VORBIS"),
    "opus": ("OGG", "OPUS"),
    "mp3": ("MP3", "MPEG_LAYER_III"),
}
LOSSY = ("ogg", "opus", "mp3", "adpcm.wav", "ulaw.wav")


@pytest.fixture(scope="module")
def noise():
    return (0.1 * np.random.default_rng(0).standard_normal(12345)).astype(np.float32)


@pytest.fixture(scope="module")
def whole(noise, tmp_path_factory):
    """The bytes of a whole file in each format."""
    folder = tmp_path_factory.mktemp("whole")
    files = {}
    for name, (form, subtype) in FORMATS.items():
        soundfile.write(folder / f"a.{name}", noise, RATE, subtype, format=form)
        files[name] = (folder / f"a.{name}").read_bytes()
    return files


def read(path, content):
    path.write_bytes(content)
    return read_mono(path)


@pytest.mark.parametrize("name", FORMATS)
def test_whole_files_are_read_to_the_last_sample(name, noise, whole, tmp_path):
    waveform, rate = read(tmp_path / f"a.{name}", whole[name])
    assert rate == RATE
    # ADPCM has whole blocks alone.
    assert len(waveform) == len(noise) or (name == "adpcm.wav" and len(noise) < len(waveform) < 13400)
    expected = soundfile.read(tmp_path / f"a.{name}", dtype="float32")[0]
    np.testing.assert_allclose(waveform, expected, rtol=0, atol=1e-7)
    if name not in LOSSY:
        np.testing.assert_allclose(waveform, noise, atol=2**-15)


@pytest.mark.parametrize("name", FORMATS)
def test_a_file_that_is_cut_off_is_named(name, whole, tmp_path):
    content = whole[name]
    path = tmp_path / f"cut.{name}"
    cuts = np.random.default_rng(1).integers(1, len(content), 40)
    # All samples of an ALAC file and the table of its packets lie in front of its last bytes.
    cuts = [cut for cut in cuts if len(content) - cut > 64]
    for cut in (*cuts, 1, 12, 44, len(content) - 65):
        with pytest.raises(UnusableAudioError, match=f"cut.{name}: ") as caught:
            read(path, content[:cut])
        assert caught.value.reason in ("corrupt", "empty")


@pytest.mark.parametrize("name", FORMATS)
def test_sound_behind_the_declared_end_is_named(name, whole, tmp_path):
    with pytest.raises(UnusableAudioError, match=f"more.{name}: corrupt"):
        read(tmp_path / f"more.{name}", whole[name] + whole[name])


CODINGS = {
    "wav": ("GSM610", "MS_ADPCM", "NMS_ADPCM_24", "G721_32", "DOUBLE", "PCM_U8", "ALAW"),
    "au": ("G721_32", "G723_40", "ULAW", "PCM_24"),
    "aiff": ("IMA_ADPCM", "DWVW_16", "GSM610", "PCM_S8", "ULAW"),
    "caf": ("ALAC_24", "FLOAT"),
    "w64": ("MS_ADPCM", "IMA_ADPCM", "GSM610", "FLOAT"),
    "rf64": ("FLOAT",),
    "nist": ("ULAW", "PCM_24"),
    "flac": ("PCM_24",),
}


@pytest.mark.parametrize(
    ("name", "subtype"), [(name, coding) for name in CODINGS for coding in CODINGS[name]]
)
def test_other_codings_are_read_whole_or_named(name, subtype, noise, tmp_path):
    path = tmp_path / f"a.{name}"
    soundfile.write(path, noise, 8000, subtype, format=name.upper())
    content = path.read_bytes()
    waveform, _ = read_mono(path)
    # Block codings fill their last block up.
    assert len(noise) <= len(waveform) < len(noise) + 1100
    for broken in (
        *(content[:-part] for part in (65, len(content) // 3, len(content) // 2)),
        content + content,
    ):
        with pytest.raises(UnusableAudioError, match=f"a.{name}: "):
            read(path, broken)


@pytest.mark.parametrize(
    ("name", "chunk"),
    [
        ("wav", b"data" + struct.pack("<I", 2000)),
        ("wav", b"LIST" + struct.pack("<I4s", 4, b"INFO") + b"data" + struct.pack("<I", 2000)),
        ("aiff", b"SSND" + struct.pack(">III", 2008, 0, 0)),
        ("w64", b"data" + bytes.fromhex("f3acd3118cd100c04f8edb8a") + struct.pack("<Q", 2024)),
        ("caf", b"data" + struct.pack(">QI", 2004, 0)),
    ],
)
def test_a_second_chunk_of_samples_is_named(name, chunk, noise, tmp_path):
    """A decoder would give the first one, and say nothing."""
    soundfile.write(tmp_path / f"a.{name}", noise[:8000], RATE, "PCM_16", format=name.upper())
    content = (tmp_path / f"a.{name}").read_bytes()
    assert len(read_mono(tmp_path / f"a.{name}")[0]) == 8000
    with pytest.raises(UnusableAudioError, match="holds more than one chunk of samples"):
        read(tmp_path / f"a.{name}", content + chunk + bytes(2000))


@pytest.mark.parametrize(
    ("name", "chunk"),
    [
        ("wav", b"LIST" + struct.pack("<I4s", 4, b"INFO") + bytes(9000)),
        ("w64", b"list" + bytes.fromhex("f3acd3118cd100c04f8edb8a") + struct.pack("<Q", 40) + bytes(16)),
        ("caf", b"free" + struct.pack(">Q", 9000) + bytes(9000)),
        ("aiff", b"ANNO" + struct.pack(">I4s", 4, b"note")),
    ],
)
def test_chunks_behind_the_samples_are_no_sound(name, chunk, noise, tmp_path):
    soundfile.write(tmp_path / f"a.{name}", noise[:8000], RATE, "PCM_16", format=name.upper())
    content = (tmp_path / f"a.{name}").read_bytes()
    waveform, _ = read(tmp_path / f"a.{name}", content + chunk)
    np.testing.assert_allclose(waveform, noise[:8000], atol=2**-15)


def patched(content, mark, offset, value):
    place = content.index(mark) + offset
    return content[:place] + value + content[place + len(value) :]


UNKNOWN_SIZES = [
    ("wav", b"data", 4, bytes(4)),
    ("wav", b"data", 4, b"\xff" * 4),
    ("float.wav", b"data", 4, bytes(4)),
    ("w64", b"data\xf3", 16, bytes(8)),
    ("w64", b"data\xf3", 16, b"\xff" * 8),
    ("rf64", b"ds64", 16, bytes(8)),
    ("rf64", b"ds64", 16, b"\xff" * 8),
    ("aiff", b"SSND", 4, bytes(4)),
    ("aiff", b"SSND", 4, b"\xff" * 4),
    ("aiff", b"COMM", 10, b"\xff" * 4),
    ("au", b".snd", 8, bytes(4)),
    ("au", b".snd", 8, b"\xff" * 4),
    ("caf", b"data", 4, bytes(8)),
    ("caf", b"data", 4, b"\xff" * 8),
    ("flac", b"fLaC", 22, bytes(4)),
    ("flac", b"fLaC", 21, b"\xff" * 5),
]


@pytest.mark.parametrize(("name", "mark", "offset", "value"), UNKNOWN_SIZES)
def test_an_unknown_size_means_up_to_the_end(name, mark, offset, value, noise, whole, tmp_path):
    if name == "flac" and value[0] == 255:  # four bits of this byte belong to another field
        value = bytes([whole[name][21] | 15]) + value[1:]
    waveform, _ = read(tmp_path / f"a.{name}", patched(whole[name], mark, offset, value))
    np.testing.assert_allclose(waveform, noise, atol=2**-15)


@pytest.mark.parametrize("size", [b"\0\0\0\0", b"\xff\xff\xff\xff"])
def test_a_wav_whose_header_nobody_filled_in_is_read(size, noise, whole, tmp_path):
    content = patched(patched(whole["wav"], b"RIFF", 4, size), b"data", 4, size)
    np.testing.assert_allclose(read(tmp_path / "a.wav", content)[0], noise, atol=2**-15)


def test_an_empty_wav_with_notes_behind_is_empty(tmp_path):
    form = struct.pack("<HHIIHH", 1, 1, RATE, 2 * RATE, 2, 16)
    chunks = b"".join(
        name + struct.pack("<I", len(body)) + body
        for name, body in (
            (b"fmt ", form),
            (b"data", b""),
            (b"LIST", b"INFOISFT\4\0\0\0none"),
        )
    )
    content = b"RIFF" + struct.pack("<I", 4 + len(chunks)) + b"WAVE" + chunks
    with pytest.raises(UnusableAudioError, match="empty: 0 samples"):
        read(tmp_path / "a.wav", content)


def mp3_frames(content):
    """Where frames of MPEG 2, layer 3, at 16 kHz begin."""
    kilobits = (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160)
    place, places = 0, []
    while place < len(content):
        places.append(place)
        place += 72 * kilobits[content[place + 2] >> 4] * 1000 // RATE + (content[place + 2] >> 1 & 1)
    return places


def test_an_mp3_without_a_count_of_frames_is_read_to_the_end(noise, whole, tmp_path):
    """libsndfile guesses its length by the first frame, and reads half where the bit rate changes."""
    full, _ = read(tmp_path / "full.mp3", whole["mp3"])
    places = mp3_frames(whole["mp3"])
    bare, _ = read(tmp_path / "bare.mp3", whole["mp3"][places[1] :])
    assert len(bare) == 576 * (len(places) - 1) - 529
    # Which samples in front belong to the encoder is lost with the first frame: some 576, and its filters'.
    ends = [np.abs(bare[n : n + 999] - full[:999]).max() < 1e-5 for n in range(2000)]
    assert 400 < ends.index(True) < 1200


@pytest.mark.parametrize("count", [5, 2**31 - 1])
def test_an_mp3_with_another_count_of_frames_is_named(count, whole, tmp_path):
    content = patched(whole["mp3"], b"Xing", 8, struct.pack(">I", count))
    with pytest.raises(UnusableAudioError, match=f"corrupt: declares {count} frames, but holds"):
        read(tmp_path / "a.mp3", content)


def test_tags_around_an_mp3_are_no_sound(whole, tmp_path):
    expected, _ = read(tmp_path / "a.mp3", whole["mp3"])
    tag = b"ID3\x04\0\0\0\0\0\x7f" + bytes(range(127)) + bytes(99)
    tagged, _ = read(tmp_path / "b.mp3", tag + whole["mp3"] + b"TAG" + b"\xff" * 125)
    np.testing.assert_array_equal(tagged, expected)


def test_a_page_that_is_missing_is_named(whole, tmp_path):
    content = whole["ogg"]
    pages = [place for place in range(len(content)) if content[place : place + 4] == b"OggS"]
    for first, second in itertools.pairwise(pages[1:]):
        with pytest.raises(UnusableAudioError, match=r"corrupt: page \d+ is missing"):
            read(tmp_path / "a.ogg", content[:first] + content[second:])


@pytest.mark.parametrize("name", FORMATS)
def test_damaged_bytes_give_an_error_or_the_same_sound_twice(name, whole, tmp_path):
    """Memory that nobody filled would differ, or be no sound: a whole file has no peak above 1."""
    rng = np.random.default_rng(len(name))
    path = tmp_path / f"a.{name}"
    for _ in range(60):
        content = bytearray(whole[name])
        ends = len(content) if rng.random() < 0.4 else min(256, len(content))
        for place in rng.integers(0, ends, rng.integers(1, 9)):
            content[place] = rng.integers(256)
        path.write_bytes(content)
        try:
            first, rate = read_mono(path)
        except UnusableAudioError as error:
            assert str(error).startswith(str(path)) and "object at" not in str(error)
            continue
        assert 1000 <= rate <= 400_000 and len(first) <= 64 * len(content)
        np.testing.assert_array_equal(read_mono(path)[0], first)


def wav(rate, channels, samples, block=None):
    """A wav file of 8 bits whose header agrees with itself."""
    block = channels if block is None else block
    head = struct.pack("<HHIIHH", 1, channels, rate, rate * block & 0xFFFFFFFF, block, 8)
    body = b"WAVEfmt " + struct.pack("<I", 16) + head + b"data" + struct.pack("<I", samples * block)
    return b"RIFF" + struct.pack("<I", len(body) + samples * block) + body + b"\x80" * (samples * block)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (wav(1, 1, 32000), "expected a sampling rate of 1000 to 400000 Hz, but got 1"),
        (wav(999, 1, 3200), "expected a sampling rate"),
        (wav(400_001, 1, 3200), "expected a sampling rate"),
        (wav(RATE, 1000, 32), "expected at most 256 channels, but got 1000"),
        (wav(RATE, 1, 320, block=2), "the header contradicts itself"),
    ],
)
def test_an_absurd_header_is_refused(content, words, tmp_path):
    with pytest.raises(UnusableAudioError, match=words):
        read(tmp_path / "a.wav", content)
    with pytest.raises(UnusableAudioError, match=words):
        audio_header(tmp_path / "a.wav")


def test_silence_packed_without_limit_is_refused(tmp_path):
    """9000 s in 30 kB. Nobody waits for it: the error comes before the first sample."""
    soundfile.write(tmp_path / "a.flac", np.zeros(9_000_000, dtype=np.float32), 1000)
    with pytest.raises(
        UnusableAudioError, match=r"9000 s of 1 channels in .* bytes: no recording is so long"
    ):
        audio_header(tmp_path / "a.flac")
    content = (tmp_path / "a.flac").read_bytes()
    # With an unknown length, when so much has come out.
    (tmp_path / "b.flac").write_bytes(content[:22] + bytes(4) + content[26:])
    seconds = 0
    with pytest.raises(UnusableAudioError, match="no recording is so long"):
        for block, rate in mono_blocks(tmp_path / "b.flac"):
            seconds += len(block) / rate
    assert 6000 < seconds < 8000


def test_pipes_and_devices_are_refused_at_once(tmp_path):
    os.mkfifo(tmp_path / "pipe.wav")
    for path in (tmp_path / "pipe.wav", "/dev/zero"):
        with pytest.raises(UnusableAudioError, match="unreadable: not a regular file"):
            read_mono(path)


def test_bytes_that_are_no_name_are_a_name(noise, tmp_path):
    path = os.path.join(os.fsencode(tmp_path), b'\xff\xfe a$b\n#=".wav')
    soundfile.write(path, noise, RATE)
    assert len(read_mono(os.fsdecode(path))[0]) == len(noise)


READERS = {
    "prepare": lambda path: examine_file(path, 0.1),
    "windows": lambda path: cut_windows(path, 10),
    "cache": lambda path: Recordings(path, cache_folder=path.parent / "cache"),
    "pairs": lambda path: read_pair({"clean": path, "noisy": path}, RATE),
    "enhance": lambda path: StreamedFile(path, RATE),
}


@pytest.mark.parametrize("name", ["wav", "aiff", "w64", "au", "opus", "ogg", "mp3", "flac", "caf", "rf64"])
@pytest.mark.parametrize("reader", READERS)
def test_every_reader_notices_that_half_is_missing(reader, name, whole, tmp_path):
    path = tmp_path / f"half.{name}"
    path.write_bytes(whole[name])
    assert READERS[reader](path) != "corrupt"
    path.write_bytes(whole[name][: len(whole[name]) // 2])
    try:
        assert READERS[reader](path) == "corrupt"
    except (UnusableAudioError, NoRecordingsError, ValueError) as error:
        assert "corrupt" in str(error)


def packed(path, frames, sounding):
    """A flac file of steps that do not change for 4096 samples each, and then of silence."""
    steps = (np.arange(1 << 20) // 4096 % 2 * 3000).astype(np.int16)
    with soundfile.SoundFile(path, "w", RATE, 1, "PCM_16", format="FLAC") as audio:
        for first in range(0, frames, len(steps)):
            count = min(len(steps), frames - first)
            audio.write(steps[:count] if first < sounding else 0 * steps[:count])


def test_sound_packed_without_limit_is_refused_and_silence_is_not(tmp_path):
    """Half an hour in some 100 kB: of silence, as one track of several may be, or of what takes work."""
    frames = 30_000_000
    for name, sounding in (("loud.flac", frames), ("silent.flac", 1)):
        packed(tmp_path / name, frames, sounding)
        assert audio_header(tmp_path / name).size < 150_000
    with pytest.raises(UnusableAudioError, match=r"loud.flac: corrupt: \d+ s of sound in 1 channels within"):
        sum(len(block) for block, _ in mono_blocks(tmp_path / "loud.flac"))
    assert sum(len(block) for block, _ in mono_blocks(tmp_path / "silent.flac")) == frames
