"""The page that enhances recordings in the browser, in a browser.

Needs Chromium and onnxruntime-web (``npm install`` in ``examples/browser``). Where they aren't installed the
test is skipped, and says so; with ``REQUIRE_BROWSER=1`` in the environment that is a failure.
"""

import json
import re
import runpy
from pathlib import Path

import numpy as np
import pytest

from sb_resizegan.inference import StreamingEnhancement
from sb_resizegan.training.onnx_export import export_onnx
from tests.browser import find_browser, visit
from tests.inference.small import small_generator

pytestmark = pytest.mark.browser

FOLDER = Path(__file__).parents[2] / "examples" / "browser"
# A file is given to the page as a user would give it, and what the page offers for saving is decoded.
PROBE = """(async () => {
  await ready;
  const samples = Float32Array.from(SIGNAL);
  await run(new File([wav(samples)], "noisy.wav"));
  const link = document.querySelector("#result a");
  if (!link) throw new Error(document.getElementById("status").textContent);
  const view = new DataView(await (await fetch(link.href)).arrayBuffer());
  const output = [...samples.keys()].map(i => view.getInt16(44 + 2 * i, true));
  return [link.download, view.byteLength, output];
})()"""


@pytest.fixture(scope="module")
def browser():
    """Path of an installed Chromium, if onnxruntime-web is there too."""
    return find_browser(FOLDER / "node_modules" / "onnxruntime-web")


def test_a_file_in_the_browser_is_enhanced_as_by_a_stream(browser, tmp_path):
    generator = small_generator(latent_dim=0, causal=True)
    export_onnx(generator, 16000, tmp_path / "model.onnx")
    build = runpy.run_path(str(FOLDER / "build.py"))["build"]
    page = tmp_path / "page.html"
    build(tmp_path / "model.onnx", page)
    text = page.read_text(encoding="utf-8")
    assert not re.findall(r"(?:src|href)=[\"']?https?://", text)
    signal = np.round(0.02 * np.random.default_rng(0).standard_normal(5000) * 32767)
    probe = PROBE.replace("SIGNAL", json.dumps((signal / 32767).tolist()))
    with visit(browser, page, tmp_path / "browser") as opened:
        name, size, output = opened.evaluate(probe)
        assert opened.console == []
    assert name == "noisy_enhanced.wav" and size == 44 + 2 * len(signal)
    stream = StreamingEnhancement.from_onnx(tmp_path / "model.onnx")
    heard = (signal / 32768).astype(np.float32)  # as browsers decode 16 bits
    expected = np.concatenate([stream.push(heard), stream.flush()]).clip(-1, 1) * 32767
    assert np.abs(expected).max() > 300
    assert np.abs(np.array(output) - expected).max() < 3  # one step of 16 bits, each way
