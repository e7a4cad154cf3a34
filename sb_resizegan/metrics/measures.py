"""What the measures are called: the one map from a measure's name to words and units."""

import re

__all__ = ["noisy_column", "readable", "reference_column"]

_WORDS = {
    "prominence_worst": "worst stride tone",
    "out_of_band": "out-of-band energy",
    "spectral_distance": "spectral distance",
    "spectral_distance_in_band": "spectral distance in band",
    "frechet_log_mel": "Fréchet log-mel distance",
    "nearest_neighbour_auc": "nearer to training data than unseen speech",
    "nearest_neighbour_copied": "copies of training data",
    "pesq_wb": "PESQ-WB",
    "estoi": "ESTOI",
    "si_sdr": "SI-SDR",
    "unscored": "outputs without PESQ",
}


def readable(column: str) -> str:
    """A column's name in words.

    Arguments
    ---------
    column : str
        A key of :func:`sb_resizegan.metrics.summary.measure_windows` or any other.

    Returns
    -------
    str
        Words, with the unit behind a comma.

    Example
    -------
    >>> readable("out_of_band_db"), readable("prominence_1000hz_db"), readable("prominence_worst_real_db")
    ('out-of-band energy, dB', 'stride tone at 1 kHz, dB', 'worst stride tone (real), dB')
    """
    name, unit = (column[:-3], ", dB") if column.endswith("_db") else (column, "")
    name, of = (name[:-5], " (real)") if name.endswith("_real") else (name, "")
    name, of = (name[:-6], " (noisy)") if name.endswith("_noisy") else (name, of)
    name, of = (name[:-6], " (real against real)") if name.endswith("_floor") else (name, of)
    tone = re.fullmatch(r"prominence_([\d.]+)hz", name)
    if tone:
        frequency = float(tone[1])
        words = (
            f"stride tone at {frequency / 1000:g} kHz"
            if frequency >= 1000
            else f"stride tone at {frequency:g} Hz"
        )
    else:
        words = _WORDS.get(name, name.replace("_", " "))
    return words + of + unit


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
