"""Builds one self-contained page that enhances recordings in the browser.

npm install && python build.py MODEL.onnx page.html

onnxruntime-web comes from npm; the page holds it and the model, and fetches nothing.
"""

import base64
import json
import sys
from pathlib import Path

import onnxruntime

HERE = Path(__file__).parent
WEB = HERE / "node_modules" / "onnxruntime-web" / "dist"


def build(model: Path, page: Path, web: Path = WEB) -> None:
    """Writes the page.

    Arguments
    ---------
    model : Path
        ONNX file, made by ``sb-resizegan export MODEL --onnx FILE``.
    page : Path
        The page to be made.
    web : Path
        Folder with the files of onnxruntime-web.
    """
    if not (web / "ort.wasm.min.js").is_file():
        raise SystemExit(f"{web}: no onnxruntime-web there; run `npm install` in {HERE}")
    session = onnxruntime.InferenceSession(model.read_bytes(), providers=["CPUExecutionProvider"])
    said = session.get_modelmeta().custom_metadata_map
    embedded = {
        "WASM": (web / "ort-wasm-simd-threaded.wasm").read_bytes(),
        "GLUE": (web / "ort-wasm-simd-threaded.mjs").read_bytes(),
        "MODEL": model.read_bytes(),
    }
    constants = [f'const {name} = "{base64.b64encode(data).decode()}";' for name, data in embedded.items()]
    constants += [
        f"const RATE = {int(said['sample_rate'])};",
        f"const SHAPES = {json.dumps({entry.name: entry.shape for entry in session.get_inputs()})};",
        f"const AFTER = {json.dumps({entry.name: 1 for entry in session.get_outputs()})};",
    ]
    library = (web / "ort.wasm.min.js").read_text(encoding="utf-8").replace("</script", "<\\/script")
    scripts = f"<script>{library}</script>\n<script>{' '.join(constants)}</script>"
    text = (HERE / "page.html").read_text(encoding="utf-8")
    page.write_text(text.replace("<!-- SCRIPTS -->", scripts), encoding="utf-8")


if __name__ == "__main__":
    build(Path(sys.argv[1]), Path(sys.argv[2]))
