"""Draw the super tokens of a trained SViT in sample photographs, for the paper's page.

    python docs/super_token_gallery.py configs/svit/mask-rcnn_svit-sample_coco.py WEIGHTS

writes docs/_static/svit_PICTURE_STAGE.jpg.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from PIL import Image

from mmsuper.apis.recognition import RecognitionInferencer
from mmsuper.data.samples.sources import picture

# File names of scikit-image's photographs, and the pixel whose token is shown.
PICTURES = {"coffee": (120, 330), "chelsea": (110, 170), "astronaut": (100, 220)}
WIDTH = 1600


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model")
    parser.add_argument("weights")
    parser.add_argument("--stages", nargs="+", default=["stage1", "stage2"])
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "_static")
    arguments = parser.parse_args()
    recognize = RecognitionInferencer(arguments.model, arguments.weights)
    for name, token in PICTURES.items():
        sheets = recognize.super_tokens(picture(f"{name}.png"), token)
        for stage in arguments.stages:
            sheet = Image.fromarray(sheets[stage])
            sheet.thumbnail((WIDTH, WIDTH))
            path = arguments.out / f"svit_{name}_{stage}.jpg"
            sheet.save(path, quality=80, optimize=True)
            print(f"{path}  {path.stat().st_size // 1000} kB")


if __name__ == "__main__":
    main()
