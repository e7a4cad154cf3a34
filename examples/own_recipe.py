"""A SpeechBrain recipe of one's own with this package's layers, loss and statistic.

python own_recipe.py --csv LIST.csv          (columns ID, noisy_wav, clean_wav; 16 kHz)
"""

import argparse

import speechbrain as sb
import torch

from sb_resizegan.metrics import PesqStats, pesq_loss
from sb_resizegan.nnet import Downsample1d, Upsample1d


class Denoiser(torch.nn.Module):
    """One stage down, one up, without the tones of a transposed convolution."""

    def __init__(self, channels=16):
        super().__init__()
        self.down = Downsample1d(1, channels, kernel_size=32, factor=8, mode="strided")
        self.up = Upsample1d(channels, 1, kernel_size=32, factor=8, mode="nearest")

    def forward(self, noisy):
        time = noisy.shape[1]
        x = torch.nn.functional.pad(noisy, (0, -time % 8)).unsqueeze(1)
        return noisy - self.up(torch.tanh(self.down(x))).squeeze(1)[:, :time]


class Enhancer(sb.Brain):
    def compute_forward(self, batch, stage):
        batch = batch.to(self.device)
        return self.modules.model(batch.noisy.data)

    def compute_objectives(self, enhanced, batch, stage):
        clean, lengths = batch.clean
        if stage != sb.Stage.TRAIN:
            self.scores.append(batch.id, predict=enhanced, target=clean, lengths=lengths)
        distance = sb.nnet.losses.l1_loss(enhanced, clean, length=lengths)
        return distance + 0.1 * pesq_loss(clean, enhanced, lengths=lengths, align=False)

    def on_stage_start(self, stage, epoch=None):
        self.scores = PesqStats()

    def on_stage_end(self, stage, stage_loss, epoch=None):
        if stage != sb.Stage.TRAIN:
            print(f"epoch {epoch}: loss {stage_loss:.3f}, PESQ {self.scores.summarize('average'):.3f}")


parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--csv", required=True)
parser.add_argument("--epochs", type=int, default=2)
options = parser.parse_args()

data = sb.dataio.dataset.DynamicItemDataset.from_csv(options.csv)
for side in ("noisy", "clean"):
    data.add_dynamic_item(sb.dataio.dataio.read_audio, takes=f"{side}_wav", provides=side)
data.set_output_keys(["id", "noisy", "clean"])
brain = Enhancer({"model": Denoiser()}, lambda parameters: torch.optim.Adam(parameters, 1e-4))
loader = {"batch_size": 1}
brain.fit(range(1, options.epochs + 1), data, data, train_loader_kwargs=loader, valid_loader_kwargs=loader)
