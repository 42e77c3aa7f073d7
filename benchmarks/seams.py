"""Seams of tiled super-resolution: largest difference to the untiled result, by distance.

python benchmarks/seams.py --weights demo/weights/dlgsanet-tiny_x4_sample.safetensors
"""

from __future__ import annotations

import argparse

import numpy as np
import torch

from mmsuper.checkpoint import load_weights
from mmsuper.projects.dlgsanet.network import DLGSANet

DISTANCES = (16, 32, 48, 64, 80, 96, 128)


def seam_errors(network: DLGSANet, image: torch.Tensor) -> list[float]:
    """Worst error farther than each of DISTANCES from the left border of the right half.

    Args:
        network: In evaluation mode.
        image: (1, 3, H, W) in [0, 1].
    """
    height, width = image.shape[-2:]
    scale = network.upscale
    worst = np.zeros(len(DISTANCES))
    with torch.inference_mode():
        whole = network(image)
        for left in (width // 2 - 7, width // 2 + 5):  # two places in the grid of windows
            with network.part_of(0, left, height, width):
                tile = network(image[..., left:])
            error = (tile - whole[..., scale * left :]).abs().amax((0, 1, 2))
            found = [float(error[scale * distance :].max()) for distance in DISTANCES]
            worst = np.maximum(worst, found)
    return worst.tolist()


def main() -> None:
    """Print a line for each size of the windows."""
    from skimage import data

    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--weights", required=True, help="checkpoint of a tiny x4 network")
    parser.add_argument("--windows", type=int, nargs="+", default=[24, 48, 72, 96])
    parser.add_argument("--width", type=int, default=460, help="of the photograph, up to 512")
    arguments = parser.parse_args()
    photograph = data.astronaut()[100:196, : arguments.width].copy()
    image = torch.from_numpy(photograph).permute(2, 0, 1)[None] / 255
    print("window", *(f"{distance:>8}" for distance in DISTANCES))
    for window in arguments.windows:
        network = DLGSANet(upscale=4, dim=48, groups=3, blocks=3, tlc_kernel=window).eval()
        load_weights(network, arguments.weights)
        print(f"{window:>6}", *(f"{error:8.1e}" for error in seam_errors(network, image)))


if __name__ == "__main__":
    main()
