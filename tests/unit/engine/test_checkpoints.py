from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.logging import HistoryBuffer, MessageHub

from mmsuper.engine import checkpoints
from mmsuper.errors import UserError


def save(folder, name):
    path = Path(folder, name)
    content = {"meta": {}, "state_dict": {"w": torch.ones(50)}, "optimizer": {}}
    torch.save(content, path)
    return path


def test_find_latest_takes_the_newest(tmp_path):
    assert checkpoints.find_latest(tmp_path) is None
    save(tmp_path, "iter_900.pth")
    newest = save(tmp_path, "iter_1000.pth")
    save(tmp_path, "best_PSNR_iter_2000.pth")
    assert checkpoints.find_latest(tmp_path) == newest


def test_find_latest_follows_the_pointer_into_a_moved_folder(tmp_path):
    pointed = save(tmp_path, "iter_900.pth")
    save(tmp_path, "iter_1000.pth")
    (tmp_path / "last_checkpoint").write_text("/gone/iter_900.pth")
    assert checkpoints.find_latest(tmp_path) == pointed


@pytest.mark.parametrize("damage", ["cut", "flipped", "empty", "weights only"])
def test_find_latest_passes_over_damage(tmp_path, damage, capsys):
    good, bad = save(tmp_path, "iter_1.pth"), save(tmp_path, "iter_2.pth")
    content = bytearray(bad.read_bytes())
    if damage == "cut":
        content = content[:-100]
    elif damage == "flipped":
        content[content.index(torch.ones(50).numpy().tobytes()) + 3] ^= 1
    elif damage == "empty":
        content = b""
    if damage == "weights only":
        torch.save({"w": torch.ones(3)}, bad)
    else:
        bad.write_bytes(content)
    (tmp_path / "last_checkpoint").write_text(str(bad))
    assert checkpoints.find_latest(tmp_path) == good
    assert "passed over" in capsys.readouterr().err
    good.unlink()
    with pytest.raises(UserError, match="none of the 1 checkpoints"):
        checkpoints.find_latest(tmp_path)


def test_plain_data_survive_and_curves_come_back():
    hub = MessageHub.get_instance("plain")
    for value in (1.0, 2.5):
        hub.update_scalar("train/loss", value)
    hub.update_info("classes", ("a", np.float64(2)))
    hub.update_info("odd", object())
    plain = checkpoints.to_plain(hub.state_dict())
    copy = checkpoints.from_plain(plain)
    curve = copy["log_scalars"]["train/loss"]
    assert isinstance(curve, HistoryBuffer)
    assert curve.data[0].tolist() == [1.0, 2.5]
    curve.update(4.0)
    assert curve.mean() == 2.5
    assert copy["runtime_info"]["classes"] == ("a", 2.0)
    assert copy["runtime_info"]["odd"].startswith("<object")


def test_plain_data_are_read_without_running_code(tmp_path):
    content = {
        "curve": HistoryBuffer([1.0], [1]),
        "path": tmp_path,
        "array": np.arange(3),
        "nested": OrderedDict(a=[np.int64(1), {"b": torch.ones(2)}]),
        "type": int,
    }
    torch.save(checkpoints.to_plain(content), tmp_path / "plain.pth")
    found = torch.load(tmp_path / "plain.pth", weights_only=True)
    assert found["path"] == repr(tmp_path)
    assert found["array"].tolist() == [0, 1, 2]
    assert found["nested"]["a"][0] == 1


def test_local_files_are_replaced_as_a_whole(tmp_path, monkeypatch):
    backend = checkpoints.AtomicBackend()
    target = tmp_path / "deep" / "file.txt"
    backend.put_text("old", target)
    monkeypatch.setattr("os.fsync", lambda _: (_ for _ in ()).throw(OSError(28, "full")))
    with pytest.raises(OSError, match="full"):
        backend.put(b"new", target)
    assert target.read_text() == "old"
    assert list(target.parent.iterdir()) == [target]
