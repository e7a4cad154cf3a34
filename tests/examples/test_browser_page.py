"""The page that enhances recordings in the browser, in a browser.

Needs Chromium and onnxruntime-web (``npm install`` in ``examples/browser``). Where they aren't installed the
test is skipped, and says so; with ``REQUIRE_BROWSER=1`` in the environment that is a failure.
"""

import json
import os
import re
import runpy
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from sb_resizegan.inference import StreamingEnhancement
from sb_resizegan.training.onnx_export import export_onnx
from tests.inference.small import small_generator

FOLDER = Path(__file__).parents[2] / "examples" / "browser"
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")
# A file is given to the page as a user would give it, and what the page offers for saving is decoded.
PROBE = """<script>
ready.then(async () => {
  const samples = Float32Array.from(SIGNAL);
  await run(new File([wav(samples)], "noisy.wav"));
  const link = document.querySelector("#result a");
  const view = new DataView(await (await fetch(link.href)).arrayBuffer());
  const output = [...samples.keys()].map(i => view.getInt16(44 + 2 * i, true));
  const probe = document.createElement("pre");
  probe.id = "probe";
  probe.textContent = JSON.stringify([link.download, view.byteLength, output]);
  document.body.append(probe);
});
</script>
</html>"""


@pytest.fixture(scope="module")
def browser():
    """Path of an installed Chromium, if onnxruntime-web is there too."""
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    web = FOLDER / "node_modules" / "onnxruntime-web"
    if found is None or not web.is_dir():
        message = f"no Chromium found, or no {web}: run `npm install` in {FOLDER}"
        if os.environ.get("REQUIRE_BROWSER") == "1":
            pytest.fail(message)
        pytest.skip(message)
    return found


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
    page.write_text(text.replace("</html>", probe), encoding="utf-8")
    done = subprocess.run(
        [
            browser,
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            f"--user-data-dir={tmp_path / 'profile'}",
            "--timeout=60000",
            "--virtual-time-budget=60000",
            "--dump-dom",
            page.as_uri(),
        ],
        capture_output=True,
        text=True,
        timeout=300,
        check=True,
    )
    probed = re.search(r'<pre id="probe">(.*?)</pre>', done.stdout)
    status = re.search(r'<p id="status"[^>]*>(.*?)</p>', done.stdout)
    assert probed, status and status.group(1)
    name, size, output = json.loads(probed.group(1))
    assert name == "noisy_enhanced.wav" and size == 44 + 2 * len(signal)
    stream = StreamingEnhancement.from_onnx(tmp_path / "model.onnx")
    heard = (signal / 32768).astype(np.float32)  # as browsers decode 16 bits
    expected = np.concatenate([stream.push(heard), stream.flush()]).clip(-1, 1) * 32767
    assert np.abs(expected).max() > 300
    assert np.abs(np.array(output) - expected).max() < 3  # one step of 16 bits, each way
