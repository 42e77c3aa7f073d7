"""Pictures of super tokens: what is drawn is what the network did, also at borders."""

import numpy as np
import pytest
import torch
from torch import nn

from mmsuper.projects.svit import pictures
from mmsuper.projects.svit.network import SViT, super_token_maps


class Model(nn.Module):
    """As much of a host library's model as is asked for; pads as detectors do."""

    def __init__(self, divisor=1):
        super().__init__()
        torch.manual_seed(0)
        self.backbone = SViT(
            embed_dim=(8, 16), depths=(1, 2), num_heads=(1, 2), n_iter=(1, 1),
            stoken_size=((4, 2), 1), layerscale=(False, False), out_indices=(0, 1),
        ).eval()  # fmt: skip
        # Far from uniform association and attention.
        with torch.no_grad():
            for stage in self.backbone.stages:
                stage[-1].norm1.weight.mul_(3)
        self.divisor = divisor

    def data_preprocessor(self, batch, training):
        image = batch["inputs"][0].float() / 255
        below, right = (-side % self.divisor for side in image.shape[1:])
        return {"inputs": nn.functional.pad(image, (0, right, 0, below))[None]}


def picture(height, width):
    generator = torch.Generator().manual_seed(1)
    return torch.randint(0, 256, (3, height, width), generator=generator, dtype=torch.uint8)


def first_stage(image, divisor=1):
    model = Model(divisor)
    attentions = nn.ModuleList([model.backbone.stages[0][-1].attention])
    with torch.inference_mode(), super_token_maps(attentions) as maps:
        model.backbone(model.data_preprocessor({"inputs": [image]}, False)["inputs"])
    return pictures.Stage(maps["0"], image.flip(0).permute(1, 2, 0).numpy(), 4)


@pytest.fixture(scope="module")
def stage():
    return first_stage(picture(50, 70))  # 13 x 18 tokens, in cells of 4 x 2: 4 x 9


def test_labels_are_those_of_the_maps(stage):
    assert stage.maps.grid == (4, 9)
    assert stage.labels().shape == (13, 18)
    assert torch.equal(torch.from_numpy(stage.labels()), stage.maps.labels()[0])
    assert stage.plain_grid()[5, 3] == 1 * 9 + 1


def test_token_belongs_to_super_tokens_around_its_cell(stage):
    for token in [(0, 0), (6, 9), (12, 17)]:
        row, column = token[0] // 4, token[1] // 2
        cells = stage.token_association(token)[::4, ::2]
        elsewhere = cells.copy()
        elsewhere[max(row - 1, 0) : row + 2, max(column - 1, 0) : column + 2] = 0
        assert not elsewhere.any()
        label = stage.labels()[token]
        if label >= 0:
            assert cells.argmax() == label
    inner = stage.token_association((6, 9))[::4, ::2]
    assert inner.sum() == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("cell", [(0, 0), (2, 4), (3, 8), (1, 0)])
def test_members_are_the_tokens_that_say_so(stage, cell):
    """Both ways of reading the association agree, and nothing runs over a border."""
    members = stage.members(cell)
    expected = np.zeros_like(members)
    for row, column in np.ndindex(members.shape):
        expected[row, column] = stage.token_association((row, column))[cell[0] * 4, cell[1] * 2]
    assert members == pytest.approx(expected)
    assert members.any()


def test_attention_in_both_directions(stage):
    to, by = stage.attention((2, 4))
    weights = stage.maps.attention[0].mean(0).numpy()
    index = 2 * 9 + 4
    assert to[::4, ::2].ravel() == pytest.approx(weights[index])
    assert by[::4, ::2].ravel() == pytest.approx(weights[:, index])
    assert to[::4, ::2].sum() == pytest.approx(1, abs=1e-5)
    assert not np.allclose(to, by)


def test_outlines_lie_where_the_label_changes(stage):
    labels = np.zeros((13, 18), int)
    labels[:, 9:] = 1
    drawn = stage._outlined(np.zeros_like(stage.image), labels)
    columns = np.flatnonzero(drawn.any(axis=(0, 2)))
    # Tokens of 4 pixels in a picture of 70: the ninth begins at pixel 36.
    assert columns.tolist() == [int(np.ceil(36 * 480 / 70)) - 1]


def test_outside_of_the_grid_is_black(stage):
    labels = np.full((13, 18), -1)
    expected = (0.7 * stage.image).astype(np.uint8)
    assert np.array_equal(stage._coloured(labels), expected)


@pytest.mark.parametrize("size", [(33, 31), (8, 90)])
def test_sheet_of_every_stage_for_any_size(size):
    model, image = Model(divisor=32), picture(*size)
    with torch.inference_mode():
        sheets = pictures.super_token_sheets(model, {"inputs": [image]}, (size[0] - 1, 0))
    assert list(sheets) == ["stage1", "stage2"]
    assert sheets["stage1"].shape[1] > 4 * pictures.PANEL
    assert sheets["stage2"].shape[1] > 2 * pictures.PANEL
    for sheet in sheets.values():
        assert sheet.dtype == np.uint8
        assert sheet.shape[2] == 3


def test_padding_of_the_input_is_not_drawn():
    stage = first_stage(picture(50, 70), divisor=32)
    assert stage.maps.size == (16, 24)  # 64 x 96 pixels
    assert stage.image.shape[1] == pictures.PANEL
    assert stage.rows.max() == 12
    assert stage.columns.max() == 17


def test_panels_show_colours_the_right_way_round():
    image = torch.zeros(3, 32, 32, dtype=torch.uint8)
    image[2] = 200  # red, of blue, green, red
    stage = first_stage(image)
    assert stage.image[10, 10].tolist() == [200, 0, 0]
