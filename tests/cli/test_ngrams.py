"""The verb ngrams: what it prints, and what it refuses."""

import errno
import json

import pytest
from tiny_completer import save

from mmsuper.cli import main
from mmsuper.projects.superposed_decoding import counting
from mmsuper.projects.superposed_decoding.ngrams import NgramIndex


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with a tokenizer, in tiny, and two texts."""
    folder = tmp_path_factory.mktemp("ngrams")
    save(folder)
    return folder


@pytest.fixture
def index(folder, tmp_path):
    return build(folder, tmp_path / "index")


def build(folder, target, *options):
    words = ["ngrams", "build", folder / "prose.txt", "-o", target, "--tokenizer", folder / "tiny"]
    assert main(list(map(str, [*words, "--jobs", "1", *options]))) == 0
    return target


def test_build_update_info(folder, tmp_path, capsys):
    index = build(folder, tmp_path / "index", "--orders", "2")
    captured = capsys.readouterr()
    assert "1 documents" in captured.out and "n-grams of 3 tokens" in captured.out
    assert "n-grams of 4 tokens" not in captured.out
    assert "tokenising" in captured.err and "merging" in captured.err
    (tmp_path / "own.jsonl").write_text(json.dumps({"body": "The pages say nothing."}))
    before = NgramIndex.open(index).tokens
    words = ["ngrams", "update", index, tmp_path / "own.jsonl", "--key", "body", "-j", "1"]
    assert main(list(map(str, words))) == 0
    assert "2 documents" in capsys.readouterr().out
    assert NgramIndex.open(index).tokens > before
    assert main(["ngrams", "info", str(index)]) == 0
    assert capsys.readouterr().out.startswith(f"{index}: 2 documents")


def refused(words, capsys):
    assert main(["ngrams", *map(str, words)]) == 2
    (line,) = capsys.readouterr().err.strip().splitlines()[-1:]
    return line


def test_info_finds_what_is_damaged(index, capsys):
    path = index / "base/tokens-2.bin"
    content = path.read_bytes()
    path.write_bytes(bytes([content[0] ^ 1]) + content[1:])
    assert "damaged: base/tokens-2.bin" in refused(["info", index], capsys)
    assert "no n-gram index in" in refused(["info", index / "base"], capsys)


def test_what_cannot_be_built(folder, index, tmp_path, capsys):
    tiny = ["--tokenizer", folder / "tiny"]
    target = ["-o", tmp_path / "new"]
    assert "no file or folder" in refused(["build", tmp_path / "a", *target, *tiny], capsys)
    assert "has an index already" in refused(
        ["build", folder / "prose.txt", "-o", index, *tiny], capsys
    )
    wrong = ["--tokenizer", tmp_path / "nowhere"]
    assert "tokenizer" in refused(["build", folder / "prose.txt", *target, *wrong], capsys)
    assert not (tmp_path / "new").exists()


def test_a_full_disk_is_said_in_a_sentence(folder, tmp_path, capsys, monkeypatch):
    def full(path, run):
        raise OSError(errno.ENOSPC, "No space left on device", str(path))

    monkeypatch.setattr(counting, "save_run", full)
    words = ["build", folder / "prose.txt", "-o", tmp_path / "new", "--tokenizer", folder / "tiny"]
    found = refused([*words, "-j", "1"], capsys)
    assert "No space left on device" in found and "start again to go on" in found
    monkeypatch.undo()
    build(folder, tmp_path / "new")
