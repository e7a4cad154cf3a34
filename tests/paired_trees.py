"""Small corpora of pairs, made of real speech, in the layouts that are published."""

import contextlib
import resource

import numpy as np
import soundfile

from sb_resizegan.dataio.audio import read_mono
from sb_resizegan.dataio.resampling import resample
from sb_resizegan.dataio.utterances import read_pair_manifest


def speech_pieces(speech_files, count):
    """Pieces of 1.25 s and more at 16 kHz, each of another recording and another length."""
    return [read_mono(path)[0][: 20000 + 700 * n] for n, path in enumerate(speech_files[:count])]


def write(path, waveform, rate=16000, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, waveform, rate, **options)


def noisy_of(clean, seed=0):
    return clean + 0.02 * np.random.default_rng(seed).standard_normal(clean.shape).astype(np.float32)


def write_pair(clean_path, noisy_path, speech, rate=16000, **options):
    clean = resample(speech, 16000, rate)
    write(clean_path, clean, rate, **options)
    write(noisy_path, noisy_of(clean), rate, **options)


def write_voicebank(folder, pieces, stems, part="trainset_28spk", ending="_wav", rate=48000, inner=""):
    for stem, speech in zip(stems, pieces, strict=False):
        paths = [folder / f"{side}_{part}{ending}" / inner / f"{stem}.wav" for side in ("clean", "noisy")]
        write_pair(*paths, speech, rate)


def write_folders(folder, pieces, names, rate=16000):
    for name, speech in zip(names, pieces, strict=False):
        write_pair(folder / "clean" / name, folder / "noisy" / name, speech, rate)


@contextlib.contextmanager
def file_size_limit(size):
    """Lets the system refuse to write files beyond a size, as it does when a disk is full."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def read_manifests(folder, data_root):
    paths = [folder / f"{split}.json" for split in ("train", "valid", "test")]
    return {path.stem: read_pair_manifest(path, data_root) for path in paths if path.exists()}


def facts(folder):
    paths = (path for path in folder.rglob("*") if path.is_file())
    return {path: (path.stat().st_mtime_ns, path.stat().st_ino, path.stat().st_size) for path in paths}
