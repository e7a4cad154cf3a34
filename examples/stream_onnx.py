"""Enhances a WAV file (16 bits, one channel, the model's rate) hop by hop with NumPy and onnxruntime alone.

python stream_onnx.py MODEL.onnx NOISY.wav ENHANCED.wav
"""

import sys
import wave

import numpy as np
import onnxruntime

model, noisy, enhanced = sys.argv[1:]
session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
said = session.get_modelmeta().custom_metadata_map
hop, rate, latent_dim = (int(said[name]) for name in ("hop", "sample_rate", "latent_dim"))
states = {
    entry.name: np.zeros(entry.shape, np.float32)
    for entry in session.get_inputs()
    if entry.name not in ("samples", "noisy_share", "latent")
}

with wave.open(noisy) as file:
    if (file.getframerate(), file.getnchannels(), file.getsampwidth()) != (rate, 1, 2):
        sys.exit(f"{noisy}: expected 16 bits, one channel, {rate} Hz")
    samples = np.frombuffer(file.readframes(file.getnframes()), "<i2").astype(np.float32) / 32768

random, hops = np.random.default_rng(0), []
padded = np.pad(samples, (0, -len(samples) % hop + hop))  # one hop more, for the last to come out
for start in range(0, len(padded), hop):
    feeds = {"samples": padded[None, start : start + hop], "noisy_share": np.zeros(1, np.float32), **states}
    if latent_dim:
        feeds["latent"] = random.standard_normal((1, latent_dim)).astype(np.float32)
    output, *after = session.run(None, feeds)
    states = dict(zip(states, after, strict=True))
    hops.append(output[0])

result = np.concatenate(hops[1:])[: len(samples)]  # each hop is the one before that put in
with wave.open(enhanced, "wb") as file:
    file.setparams((1, 2, rate, len(result), "NONE", ""))
    file.writeframes((np.clip(result, -1, 1) * 32767).round().astype("<i2").tobytes())
