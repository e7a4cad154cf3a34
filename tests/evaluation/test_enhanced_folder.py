"""Rows of other enhancers' files, transcripts, speech deletion in an evaluation; misfits are named."""

import numpy as np
import pytest
import soundfile

from sb_resizegan.dataio.utterances import Utterance
from sb_resizegan.evaluation.enhanced_folder import MissingOutputError, read_enhanced_folder, read_transcripts
from sb_resizegan.evaluation.pair_evaluation import evaluate
from sb_resizegan.evaluation.scoring import score_utterances
from sb_resizegan.evaluation.scoring_options import EvaluationOptions, ScoringOptions
from sb_resizegan.report.score_table import made_worse, markdown

RATE = 16000


@pytest.fixture(scope="module")
def utterances(speech_files):
    random = np.random.default_rng(0)
    found = []
    for number, path in enumerate(speech_files[:3]):
        clean = soundfile.read(path, dtype="float32")[0][8000 : 40000 + 1000 * number]
        noise = 0.3 * clean.std() * random.standard_normal(len(clean))
        found.append(Utterance(f"part/u{number}", (clean + noise).astype(np.float32), clean, 10.0))
    return found


def write(folder, utterances, delay=0, rate=RATE):
    for utterance in utterances:
        path = folder / f"{utterance.name}.wav"
        path.parent.mkdir(parents=True, exist_ok=True)
        signal = np.concatenate([np.zeros(delay), utterance.clean])
        if rate != RATE:
            signal = np.repeat(signal, rate // RATE)  # crude, but it lies where it lay
        soundfile.write(path, signal, rate, subtype="FLOAT")
    return folder


@pytest.mark.parametrize("delay", [0, 137, 2000])
def test_files_are_read_and_put_where_they_belong(utterances, tmp_path, delay):
    outputs, lag = read_enhanced_folder(write(tmp_path, utterances, delay), utterances)
    assert lag == delay
    for output, utterance in zip(outputs, utterances, strict=True):
        assert output.shape == utterance.clean.shape and output.dtype == np.float32
        assert np.allclose(output, utterance.clean, atol=1e-6)


def test_files_at_another_rate(utterances, tmp_path):
    outputs, _ = read_enhanced_folder(write(tmp_path, utterances, rate=3 * RATE), utterances)
    for output, utterance in zip(outputs, utterances, strict=True):
        assert output.shape == utterance.clean.shape
        assert np.corrcoef(output, utterance.clean)[0, 1] > 0.98


def test_a_missing_file_is_named(utterances, tmp_path):
    write(tmp_path, utterances[1:])
    with pytest.raises(
        MissingOutputError, match=r"each of 3 utterances, but 1 are missing, such as 'part/u0'"
    ):
        read_enhanced_folder(tmp_path, utterances)
    with pytest.raises(FileNotFoundError, match="expected a folder of enhanced files"):
        read_enhanced_folder(tmp_path / "nowhere", utterances)


def test_transcripts(tmp_path):
    path = tmp_path / "said.csv"
    path.write_text("id,transcript\na,Hello there.\n")
    assert read_transcripts(path, ["b", "a"]) == [None, "Hello there."]
    with pytest.raises(MissingOutputError, match="there is no file for 'a'"):
        read_transcripts(path, ["b"])
    path.write_text("name,text\na,Hello\n")
    with pytest.raises(MissingOutputError, match="expected the columns 'id' and 'transcript'"):
        read_transcripts(path, ["a"])


def test_other_files_are_rows_and_deletion_is_measured(utterances):
    options = EvaluationOptions(ScoringOptions(scores=("intelligibility", "deletion")))
    clean = [utterance.clean for utterance in utterances]
    systems = {"deleter": lambda noisy: 0.1 * noisy}
    result = evaluate(utterances, systems, options, outputs={"oracle": clean})
    rows = {row.system: row.means for row in result.scores.rows()}
    assert list(rows) == ["noisy", "oracle", "deleter"]
    bands = [name for name in rows["noisy"] if name.startswith("deleted")]
    assert len(bands) == 4
    for name in bands:
        assert rows["oracle"][name] == 0 and rows["noisy"][name] < 10 and rows["deleter"][name] > 90
    assert rows["deleter"]["noise_left_db"] == pytest.approx(-20, abs=0.1)
    assert (
        made_worse(result.scores)[0] == "oracle: worse than the noisy speech in 0 of 3 utterances by ESTOI."
    )
    assert "speech deleted, 1–2 kHz, %" in markdown(result.scores)


def test_a_name_that_is_taken(utterances):
    with pytest.raises(ValueError, match="but got 'noisy'"):
        evaluate(utterances, {}, outputs={"noisy": []})
    with pytest.raises(ValueError, match="but got 'a'"):
        evaluate(utterances, {"a": lambda noisy: noisy}, outputs={"a": []})


def test_deletion_needs_the_noisy_speech(utterances):
    clean = [utterance.clean for utterance in utterances]
    with pytest.raises(ValueError, match="deletion: expected the noisy speech"):
        score_utterances(clean, clean, ScoringOptions(scores=("deletion",)))
    with pytest.raises(ValueError, match="expected noisy speech of the reference's shape"):
        score_utterances(clean[:1], clean[:1], ScoringOptions(scores=()), noisy=[clean[0][:-1]])
    # Not asked for: left out.
    assert not any("deleted" in name for name in score_utterances(clean[:1], clean[:1])[0])
