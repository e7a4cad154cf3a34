"""What the measures are called: the one map from a measure to its words, unit, decimal places and direction.

Columns of tables and keys of figures are the names here, some with a qualifier in front of the unit:
``out_of_band_real_db`` is ``out_of_band_db`` of real speech.
"""

import re
from typing import Literal, NamedTuple

__all__ = [
    "MEASURES",
    "Measure",
    "direction",
    "legend",
    "measure_of",
    "noisy_column",
    "readable",
    "reference_column",
    "written",
]


class Measure(NamedTuple):
    """What a measure is called and how it is written."""

    label: str
    """Words."""

    unit: str = ""
    """Unit, empty for a pure number."""

    places: int = 2
    """Decimal places in a table."""

    direction: Literal["higher", "lower"] | None = None
    """Which is better; None where neither is, or where it depends."""

    source: str = ""
    """Standard or implementation, for the legend of a table."""


DELETION = "bins of speech 10 dB too low"
MEASURES = {
    # Enhanced speech beside clean speech
    "pesq_wb": Measure("PESQ-WB", "", 2, "higher", "P.862.2, no Corr. 2; sb_resizegan"),
    "pesq_wb_official": Measure("PESQ-WB (official)", "", 2, "higher", "P.862.2, no Corr. 2; pesq 0.0.4"),
    "stoi": Measure("STOI", "", 3, "higher", "pystoi"),
    "estoi": Measure("ESTOI", "", 3, "higher", "pystoi"),
    "si_sdr_db": Measure("SI-SDR", "dB", 1, "higher", "SpeechBrain"),
    "dnsmos_sig": Measure("DNSMOS SIG", "", 2, "higher", "P.835; speechmos"),
    "dnsmos_bak": Measure("DNSMOS BAK", "", 2, "higher", "P.835; speechmos"),
    "dnsmos_ovrl": Measure("DNSMOS OVRL", "", 2, "higher", "P.835; speechmos"),
    "distillmos": Measure("DistillMOS", "", 2, "higher", "distillmos"),
    "wer_percent": Measure("WER", "%", 1, "lower", "Whisper tiny.en; mean over files"),
    "speaker_similarity": Measure("speaker similarity", "", 3, "higher", "resemblyzer"),
    "deleted_0_1khz_percent": Measure("speech deleted, 0–1 kHz", "%", 1, "lower", DELETION),
    "deleted_1_2khz_percent": Measure("speech deleted, 1–2 kHz", "%", 1, "lower", DELETION),
    "deleted_2_4khz_percent": Measure("speech deleted, 2–4 kHz", "%", 1, "lower", DELETION),
    "deleted_4_8khz_percent": Measure("speech deleted, 4–8 kHz", "%", 1, "lower", DELETION),
    "noise_left_db": Measure("noise left", "dB", 1, "lower", "where it dominates by 10 dB"),
    # Copies of recordings by their mel spectra
    "mcd_db": Measure("mel-cepstral distortion", "dB", 2, "lower"),
    "lsd_db": Measure("log spectral distance", "dB", 2, "lower"),
    "f0_cents": Measure("error of pitch", "cents", 0, "lower", "root mean square where both are voiced"),
    "voicing_f1": Measure("F1 of voicing", "", 3, "higher"),
    "periodicity_error": Measure("error of periodicity", "", 3, "lower"),
    "unscored": Measure("outputs without PESQ", "", 0, "lower"),
    # Terms of the objective of enhancement
    "objective": Measure("objective", "", 3, "lower"),
    "magnitude": Measure("magnitude term", "", 3, "lower"),
    "complex": Measure("complex term", "", 3, "lower"),
    "waveform": Measure("waveform term", "", 3, "lower"),
    "pesq_distance": Measure("PESQ term", "", 3, "lower"),
    "deletion": Measure("deletion term", "", 3, "lower"),
    # Restored speech
    "plcmos": Measure("PLCMOS", "", 2, "higher", "speechmos"),
    "lost_distance_db": Measure("log-spectral distance where it was lost", "dB", 2, "lower"),
    "kept_distance_db": Measure("log-spectral distance where it was kept", "dB", 2, "lower"),
    "spread_lost_db": Measure("spread of draws where it was lost", "dB", 1),
    "spread_kept_db": Measure("spread of draws where it was kept", "dB", 1, "lower"),
    "spread_error_correlation": Measure("rank correlation of spread and error", "", 3, "higher"),
    "covered": Measure("truth between the lowest and the highest draw", "", 3, "higher"),
    "covered_nominal": Measure("the same, if draws were the truth's own", "", 3),
    # Terms of the objective of restoration
    "energy": Measure("energy distance", "", 3, "lower"),
    "kept": Measure("distance where it was kept", "", 4, "lower"),
    "gate": Measure("cross entropy of the gate", "", 3, "lower"),
    # Terms of the objective of vocoders
    "mel": Measure("mel term", "", 3, "lower"),
    "stft": Measure("multi-resolution STFT term", "", 3, "lower"),
    # Windows
    "prominence_worst_db": Measure("worst stride tone", "dB", 1, "lower"),
    "out_of_band_db": Measure("out-of-band energy", "dB", 1, "lower"),
    "spectral_distance_db": Measure("spectral distance", "dB", 2, "lower"),
    "spectral_distance_in_band_db": Measure("spectral distance in the pass band", "dB", 2, "lower"),
    "below_60hz_db": Measure("energy below 60 Hz", "dB", 1),
    "c2st_auc": Measure("area under the curve of a classifier (C2ST)", "", 3, "lower"),
    "c2st_auc_low": Measure("the same, lower end of its 95 % interval", "", 3, "lower"),
    "c2st_auc_high": Measure("the same, upper end of its 95 % interval", "", 3, "lower"),
    "voicing": Measure("mean voicing strength", "", 3),
    "voicing_w1": Measure("Wasserstein-1 distance of voicing strength", "", 4, "lower"),
    "f0_w1": Measure("Wasserstein-1 distance of F0", "Hz", 2, "lower"),
    "precision": Measure("precision", "", 3, "higher"),
    "recall": Measure("recall", "", 3, "higher"),
    "density": Measure("density", "", 3, "higher"),
    "coverage": Measure("coverage", "", 3, "higher"),
    "kernel_distance": Measure("kernel distance (KID)", "", 3, "lower"),
    "frechet_log_mel": Measure("Fréchet log-mel distance", "", 2, "lower"),
    "nearest_neighbour_auc": Measure("nearer to training data than unseen speech", "", 2),
    "nearest_neighbour_copied": Measure("copies of training data", "", 3, "lower"),
    # Trainings
    "score_gap": Measure("score gap of real and generated windows", "", 2),
    "epoch": Measure("epoch", "", 0),
    "seconds": Measure("length", "s", 1),
}
"""What is known of each measure, by its name, in the order of the columns of a table."""
QUALIFIERS = {"_real": "real", "_noisy": "noisy", "_floor": "real against real"}
TONE = re.compile(r"prominence_([\d.]+)hz_db")


def measure_of(column: str) -> tuple[Measure, str]:
    """The measure that a column holds, and of what.

    Arguments
    ---------
    column : str
        A name of `MEASURES`, one with a qualifier, or any other.

    Returns
    -------
    measure : Measure
        Of a name that is not known: its own words, and no direction.
    of : str
        What it was taken of, in words, where that is not the generated or enhanced signal.

    Example
    -------
    >>> measure_of("si_sdr_noisy_db")
    (Measure(label='SI-SDR', unit='dB', places=1, direction='higher', source='SpeechBrain'), 'noisy')
    """
    if column in MEASURES:
        return MEASURES[column], ""
    name, unit = (column[:-3], "_db") if column.endswith("_db") else (column, "")
    for qualifier, words in QUALIFIERS.items():
        if name.endswith(qualifier):
            return measure_of(name[: -len(qualifier)] + unit)[0], words
    tone = TONE.fullmatch(column)
    if tone:
        frequency = float(tone[1])
        pitch = f"{frequency / 1000:g} kHz" if frequency >= 1000 else f"{frequency:g} Hz"
        return Measure(f"stride tone at {pitch}", "dB", 1, "lower"), ""
    return Measure(name.replace("_", " "), "dB" if unit else ""), ""


def readable(column: str) -> str:
    """A column's name in words.

    Arguments
    ---------
    column : str
        A name of `MEASURES`, one with a qualifier, or any other.

    Returns
    -------
    str
        Words, with the unit behind a comma.

    Example
    -------
    >>> readable("out_of_band_db"), readable("prominence_1000hz_db"), readable("prominence_worst_real_db")
    ('out-of-band energy, dB', 'stride tone at 1 kHz, dB', 'worst stride tone (real), dB')
    """
    measure, of = measure_of(column)
    return measure.label + (f" ({of})" if of else "") + (f", {measure.unit}" if measure.unit else "")


def legend(column: str) -> str:
    """A column's name in words, with the standard or the implementation where there is one.

    Arguments
    ---------
    column : str
        A name of `MEASURES`.

    Returns
    -------
    str

    Example
    -------
    >>> legend("stoi"), legend("si_sdr_db")
    ('STOI (pystoi)', 'SI-SDR, dB (SpeechBrain)')
    """
    source = measure_of(column)[0].source
    return readable(column) + (f" ({source})" if source else "")


def written(column: str, value: float) -> str:
    """A figure with the decimal places of its measure.

    Arguments
    ---------
    column : str
        A name of `MEASURES`.
    value : float
        The figure.

    Returns
    -------
    str

    Example
    -------
    >>> written("stoi", 0.91234), written("si_sdr_db", 12.34)
    ('0.912', '12.3')
    """
    return f"{value:.{measure_of(column)[0].places}f}"


def direction(column: str) -> Literal["higher", "lower"] | None:
    """Which values of a column are better.

    Arguments
    ---------
    column : str
        A name of `MEASURES`, one with a qualifier, or any other.

    Returns
    -------
    str or None
        "higher", "lower", or None where neither is or nothing is known.

    Example
    -------
    >>> direction("pesq_wb"), direction("prominence_250hz_db"), direction("anything")
    ('higher', 'lower', None)
    """
    return measure_of(column)[0].direction


def reference_column(column: str) -> str:
    """Name of the column that holds what real data have where ``column`` holds what generated data have.

    Arguments
    ---------
    column : str
        A column.

    Returns
    -------
    str
        The name; a table need not have that column.

    Example
    -------
    >>> reference_column("out_of_band_db"), reference_column("frechet_log_mel")
    ('out_of_band_real_db', 'frechet_log_mel_floor')
    """
    return f"{column[:-3]}_real_db" if column.endswith("_db") else f"{column}_floor"


def noisy_column(column: str) -> str:
    """Name of the column that holds of noisy speech what ``column`` holds of enhanced speech.

    Arguments
    ---------
    column : str
        A column.

    Returns
    -------
    str
        The name; a table need not have that column.

    Example
    -------
    >>> noisy_column("pesq_wb"), noisy_column("si_sdr_db")
    ('pesq_wb_noisy', 'si_sdr_noisy_db')
    """
    return f"{column[:-3]}_noisy_db" if column.endswith("_db") else f"{column}_noisy"
