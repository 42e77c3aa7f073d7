"""Sample data with few pictures of each kind, made once for all tests of this folder."""

import pytest

from mmsuper.data import samples
from mmsuper.data.samples import recognition, restoration


@pytest.fixture(scope="session")
def small(tmp_path_factory):
    """Return a function that makes the kinds in a new folder, with few pictures each."""

    def make(*kinds, root=None):
        root = root or tmp_path_factory.mktemp("data") / "samples"
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(recognition, "_COCO_SPLITS", {"train": 6, "val": 3})
            patch.setattr(recognition, "_SEGMENTATION_SPLITS", {"training": 3, "validation": 2})
            patch.setattr(restoration, "CLIPS", _first_of_each(restoration.CLIPS))
            patch.setattr(restoration, "HELD_OUT", _some(restoration.HELD_OUT, "chelsea"))
            patch.setattr(restoration, "TRAINING", _some(restoration.TRAINING, "coins"))
            samples.make(root, kinds)
        return root

    return make


@pytest.fixture(scope="session")
def root(small):
    return small("sr", "classification", "coco", "segmentation", "clips")


def _some(table, name):
    return {name: table[name]}


def _first_of_each(clips):
    return {split: dict(list(scenes.items())[:1]) for split, scenes in clips.items()}
