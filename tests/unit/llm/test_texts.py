"""Texts of all kinds, their cache, and the tokenizer that is trained on them."""

import json

import pytest
import torch

from mmsuper.errors import UserError
from mmsuper.llm import texts as module
from mmsuper.llm import tokenizers
from mmsuper.llm.texts import TextWindows


@pytest.fixture
def windows(texts, folder, tmp_path):
    def build(names=None, **options):
        options = {"window": 16, "data_root": str(texts), **options}
        names = names or {"prose": "prose.txt", "code": "code.txt"}
        return TextWindows(names, str(folder), cache_dir=str(tmp_path / "cache"), **options)

    return build


def write_lines(path, documents):
    path.write_text("\n".join(json.dumps({"text": one}) for one in documents) + "\n")


def test_windows_side_by_side_are_the_whole_text(windows, texts, tokenizer):
    data = windows({"prose": "prose.txt"})
    whole = tokenizer((texts / "prose.txt").read_text(encoding="utf-8")).input_ids
    inputs = [data[i]["inputs"] for i in range(len(data))]
    assert torch.cat(inputs).tolist() == whole
    assert {len(one) for one in inputs[:-1]} == {16}
    size = (texts / "prose.txt").stat().st_size
    assert data.metainfo == {"texts": {"prose": {"tokens": len(whole), "bytes": size}}}


def test_each_window_knows_its_text_and_what_is_scored(windows):
    data = windows(stride=4)
    samples = [data[i]["data_samples"] for i in range(len(data))]
    for name, counts in data.metainfo["texts"].items():
        of_text = [sample.scored for sample in samples if sample.text == name]
        assert sum(of_text) == counts["tokens"] - 1
        assert of_text[0] == 15 and set(of_text[1:-1]) == {4}


def test_documents_of_lines_and_folders_end_with_the_end_token(windows, tmp_path, tokenizer):
    import datasets

    documents = ["one text", "another\ntext"]
    write_lines(tmp_path / "a.jsonl", documents)
    datasets.Dataset.from_dict({"text": documents}).save_to_disk(tmp_path / "saved")
    expected = [i for one in documents for i in [*tokenizer(one).input_ids, 0]]
    for name in ("a.jsonl", "saved"):
        data = windows({"x": name}, data_root=str(tmp_path))
        assert data.ids("x").tolist() == expected
        assert data.metainfo["texts"]["x"]["bytes"] == len("".join(documents))


def test_ids_are_cached_by_content_and_a_damaged_cache_is_made_again(
    windows, tmp_path, monkeypatch
):
    path = tmp_path / "a.txt"
    path.write_text("some text")
    options = {"names": {"a": "a.txt"}, "data_root": str(tmp_path)}
    ids = windows(**options).ids("a").tolist()
    calls = []
    encode = module.encode
    monkeypatch.setattr(module, "encode", lambda *a: calls.append(a) or encode(*a))
    assert windows(**options).ids("a").tolist() == ids
    assert not calls
    [cached] = (tmp_path / "cache").glob("ids-*")
    good = cached.read_bytes()
    for damaged in (good[:-4], good[:-1] + b"\x01", b""):
        cached.write_bytes(damaged)
        assert windows(**options).ids("a").tolist() == ids
        assert cached.read_bytes() == good
    assert len(calls) == 3
    path.write_text("other text")
    assert windows(**options).ids("a").tolist() != ids


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("a.txt", b"abc\xff", "no UTF-8 text: byte 3"),
        ("a.txt", b"", "no text in"),
        ("a.jsonl", b'{"text": "a"}\n{"txt": "b"}\n', r"a.jsonl:2 is no JSON object with 'text'"),
        ("a.jsonl", b'{"text": 5}', "a.jsonl:1: 'text' is no text"),
        ("b.txt", None, r"no text at .*b.txt"),
    ],
)
def test_unusable_texts_are_refused_in_a_sentence(windows, tmp_path, name, content, says):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(UserError, match=says):
        windows({"x": name}, data_root=str(tmp_path))
    assert not list(tmp_path.glob("cache/*"))


def test_a_folder_that_datasets_did_not_save_is_refused(windows, tmp_path):
    (tmp_path / "some").mkdir()
    (tmp_path / "some/file").write_text("x")
    with pytest.raises(UserError, match="no folder of datasets"):
        windows({"x": "some"}, data_root=str(tmp_path))


def test_the_same_text_gives_the_same_tokenizer(texts, tokenizer, tmp_path):
    files = [texts / "prose.txt", texts / "code.txt"]
    again = tokenizers.train(files, 300, tmp_path)
    assert tokenizers.fingerprint(again) == tokenizers.fingerprint(tokenizer)
    assert len(again) == 300
    text = "def ünseen(✓):\n\n\treturn 🙂"
    assert again.decode(again(text).input_ids) == text
    other = tokenizers.train(files, 290, tmp_path)
    assert tokenizers.fingerprint(other) != tokenizers.fingerprint(tokenizer)


def test_padding_leaves_no_trace_in_the_fingerprint(tokenizer):
    before = tokenizers.fingerprint(tokenizer)
    tokenizer(["a", "a longer one"], padding=True, truncation=True, max_length=4)
    assert tokenizers.fingerprint(tokenizer) == before
