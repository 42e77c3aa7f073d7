import json

from mmengine.config import Config

from mmsuper.engine import manifest


def test_fingerprint_sees_names_and_sizes(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "x.png").write_bytes(b"123")
    first = manifest.fingerprint(tmp_path)
    assert (first["files"], first["bytes"]) == (1, 3)
    assert manifest.fingerprint(tmp_path) == first
    (tmp_path / "a" / "x.png").rename(tmp_path / "a" / "y.png")
    renamed = manifest.fingerprint(tmp_path)
    (tmp_path / "a" / "y.png").write_bytes(b"1234")
    grown = manifest.fingerprint(tmp_path)
    assert len({one["sha256"] for one in (first, renamed, grown)}) == 3


def test_every_data_root_is_found():
    config = Config(
        {
            "train_dataloader": {"dataset": {"datasets": [{"data_root": "a"}, {"data_root": "b"}]}},
            "test_dataloader": [{"dataset": {"data_root": "c"}}],
            "model": {"data_root": "no"},
        }
    )
    assert list(manifest.data_roots(config)) == ["a", "b", "c"]


def test_describe_is_json(tmp_path):
    config = Config({"randomness": {"seed": 7}, "val_dataloader": {"data_root": str(tmp_path)}})
    found = json.loads(json.dumps(manifest.describe(config, "train")))
    assert found["seed"] == 7
    assert found["data"] == {str(tmp_path): manifest.fingerprint(tmp_path)}
    assert found["processes"] == 1
