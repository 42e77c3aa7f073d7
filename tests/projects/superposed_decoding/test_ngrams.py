"""The n-gram index counts as dictionaries do, survives interruption, refuses what is not one."""

import itertools
import json
import os
from collections import Counter, defaultdict

import numpy as np
import pytest
from tiny_completer import save

from mmsuper.errors import UserError
from mmsuper.llm import load_tokenizer
from mmsuper.projects.superposed_decoding import counting, ngrams
from mmsuper.projects.superposed_decoding.ngrams import (
    NgramIndex,
    build,
    build_from_ids,
    update,
    update_from_ids,
)


def by_dictionaries(documents, orders):
    found = defaultdict(Counter)
    for ids in documents:
        for order in range(1, orders + 1):
            for i in range(len(ids) - order):
                found[tuple(ids[i : i + order])][ids[i + order]] += 1
    return found


def assert_counts(index, documents, orders, contexts):
    expected = by_dictionaries(documents, orders)
    for context in {*contexts, *expected}:
        row = index.rows(context, len(context))
        if context not in expected:
            assert row is None, context
            continue
        tokens, counts, total = row
        assert dict(zip(tokens.tolist(), counts.tolist(), strict=True)) == expected[context]
        assert tokens.tolist() == sorted(expected[context])
        assert total == sum(expected[context].values())


def random_documents(vocabulary, seed=0):
    random = np.random.default_rng(seed)
    lengths = random.integers(0, 40, 40)
    return [random.choice(vocabulary, length).tolist() for length in lengths]


@pytest.mark.parametrize(
    "vocabulary, vocab_size, orders",
    [([0, 1, 2, 7], 8, 3), ([0, 5, 65534], 65535, 5), ([1, 70000, 99999], 100000, 2), ([0], 1, 1)],
)
def test_counts_are_those_of_dictionaries(vocabulary, vocab_size, orders, tmp_path, monkeypatch):
    monkeypatch.setattr(counting, "MERGED_ROWS", 7)
    first, second, third = (random_documents(vocabulary, seed) for seed in range(3))
    build_from_ids(first, tmp_path, vocab_size, orders)
    update_from_ids(tmp_path, second)
    index = update_from_ids(tmp_path, third)
    lengths = range(1, orders + 1)
    contexts = {c for n in lengths for c in itertools.product([*vocabulary, vocab_size], repeat=n)}
    assert_counts(index, first + second + third, orders, contexts)
    assert index.documents == 120
    assert index.tokens == sum(map(len, first + second + third))
    index.verify()


def test_a_merge_in_parts_is_the_merge_at_once(tmp_path):
    packing = counting.Packing(4, 10)
    paths = []
    for seed in range(4):
        paths.append(tmp_path / f"{seed}.npy")
        counting.save_run(paths[-1], counting.run_of(random_documents(range(10), seed), packing))
    parts = list(counting.merged(paths, packing, rows=20))
    ((whole, rows),) = counting.merged(paths, packing)
    assert len(parts) > 10
    assert (np.concatenate([part for part, _ in parts], axis=1) == whole).all()
    assert sum(count for _, count in parts) == rows


def test_only_the_end_of_a_context_counts(tmp_path):
    index = build_from_ids([[1, 2, 3, 4]], tmp_path, 5, orders=2)
    assert list(index.orders) == [1, 2]
    tokens, counts, total = index.rows([9, 9, 2, 3], 2)
    assert (tokens.tolist(), counts.tolist(), total) == ([4], [1], 1)
    for context, order in (([1, 2, 3], 3), ([1], 2), ([1], 0)):
        with pytest.raises(ValueError, match="no contexts of"):
            index.rows(context, order)


def test_nothing_to_count(tmp_path):
    index = build_from_ids([[], [1]], tmp_path, 5)
    assert index.rows([1], 1) is None
    with pytest.raises(UserError, match="out of the vocabulary"):
        build_from_ids([[5]], tmp_path / "other", 5)
    with pytest.raises(UserError, match="1 to 15"):
        build_from_ids([[1]], tmp_path / "other", 5, orders=16)


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory):
    return save(tmp_path_factory.mktemp("llm"))


@pytest.fixture
def texts(tmp_path):
    folder = tmp_path / "texts"
    (folder / "below").mkdir(parents=True)
    (folder / "a.txt").write_text("".join(f"line {i} ä\n" for i in range(300)), encoding="utf-8")
    lines = [json.dumps({"text": f"document {i}\nof two lines"}) for i in range(30)]
    (folder / "below/b.jsonl").write_text("\n".join(lines) + "\n\n")
    (folder / "ignored.md").write_text("not read")
    return folder


def test_texts_are_counted_by_document(texts, tokenizer, tmp_path):
    index = build([texts], tmp_path / "index", tokenizer, orders=3, jobs=1)
    encode = load_tokenizer(tokenizer)
    documents = [(texts / "a.txt").read_text(encoding="utf-8")]
    documents += [f"document {i}\nof two lines" for i in range(30)]
    ids = [encode(text, add_special_tokens=False).input_ids for text in documents]
    assert_counts(index, ids, 3, [])
    assert index.documents == 31
    added = "line 1 and something new"
    (texts / "c.txt").write_text(added)
    ids.append(encode(added, add_special_tokens=False).input_ids)
    index = update(tmp_path / "index", [texts / "c.txt"], jobs=1)
    assert_counts(index, ids, 3, [])
    assert sorted(p.name for p in (tmp_path / "index").iterdir()) == [
        "added-1",
        "added-runs",
        "base",
        "index.json",
    ]


def test_large_texts_are_cut_at_ends_of_lines(texts, monkeypatch):
    monkeypatch.setattr(counting, "PIECE_BYTES", 500)
    pieces = counting.pieces([texts])
    assert all(sum(p.stop - p.start for p in piece) < 550 for piece in pieces)
    found = [text for piece in pieces for text in counting.documents(piece)]
    whole = (texts / "a.txt").read_text(encoding="utf-8")
    parts = [text for text in found if text.startswith("line")]
    assert "".join(parts) == whole and len(parts) > 5
    assert all(text.endswith("\n") for text in parts)
    assert len(found) == len(parts) + 30


def test_an_interrupted_build_goes_on(texts, tokenizer, tmp_path, monkeypatch):
    monkeypatch.setattr(counting, "PIECE_BYTES", 500)
    save_run, saved = counting.save_run, []

    def failing(path, run):
        if len(saved) == 3:
            raise KeyboardInterrupt
        saved.append(path.name)
        save_run(path, run)

    def make():
        return build([texts], tmp_path / "index", tokenizer, orders=2, jobs=1)

    monkeypatch.setattr(counting, "save_run", failing)
    with pytest.raises(KeyboardInterrupt):
        make()
    monkeypatch.setattr(counting, "save_run", lambda p, r: (saved.append(p.name), save_run(p, r)))
    index = make()
    assert len(saved) == len(set(saved)) == len(counting.pieces([texts]))
    again = build([texts], tmp_path / "again", tokenizer, orders=2, jobs=1)
    assert index.header["segments"][0]["sums"] == again.header["segments"][0]["sums"]
    # Another text: nothing of the interrupted build is used.
    monkeypatch.setattr(counting, "save_run", failing)
    saved.clear()
    with pytest.raises(KeyboardInterrupt):
        build([texts], tmp_path / "other", tokenizer, orders=2, jobs=1)
    (texts / "a.txt").write_text("something else")
    monkeypatch.setattr(counting, "save_run", save_run)
    other = build([texts], tmp_path / "other", tokenizer, orders=2, jobs=1)
    assert other.documents == 31


def test_an_update_that_fails_leaves_the_index(tmp_path, monkeypatch):
    build_from_ids([[1, 2, 3]], tmp_path, 5, orders=2)
    update_from_ids(tmp_path, [[1, 2, 4]])
    monkeypatch.setattr(counting.LevelWriter, "close", lambda self: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        update_from_ids(tmp_path, [[1, 2, 2]])
    monkeypatch.undo()
    index = NgramIndex.open(tmp_path)
    index.verify()
    assert index.rows([1, 2], 2)[0].tolist() == [3, 4]
    assert update_from_ids(tmp_path, [[1, 2, 1]]).rows([1, 2], 2)[0].tolist() == [1, 3, 4]


def test_work_is_spread_over_processes(texts):
    files = [texts / "a.txt", texts / "ignored.md", texts / "below/b.jsonl"]
    sizes = list(ngrams._in_processes(os.path.getsize, files, jobs=2))
    assert sizes == [file.stat().st_size for file in files]


@pytest.fixture
def index(tmp_path, tokenizer, texts):
    build([texts / "a.txt"], tmp_path / "index", tokenizer, orders=2, jobs=1)
    return tmp_path / "index"


def change(path, **values):
    path.write_text(json.dumps({**json.loads(path.read_text()), **values}))


def test_what_is_no_whole_index_is_refused(index, tmp_path):
    def refused(words):
        with pytest.raises(UserError, match=words):
            NgramIndex.open(index).verify()

    NgramIndex.open(index).verify()
    header, counts = index / "index.json", index / "base/counts-2.bin"
    written, content = header.read_text(), counts.read_bytes()
    counts.write_bytes(content[:-1])
    refused(r"damaged: base/counts-2\.bin; build it anew")
    counts.write_bytes(bytes([content[0] ^ 1]) + content[1:])
    refused(r"damaged: base/counts-2\.bin")
    counts.unlink()
    refused("damaged")
    counts.write_bytes(content)
    change(header, version=2)
    refused("of version 2, and this reads version 1")
    change(header, version=1, orders=3)
    refused("damaged")
    change(header, segments=[{}])
    refused(r"damaged: index\.json")
    header.write_text(written[:50])
    refused(r"damaged: index\.json")
    header.write_text("{}")
    refused("is not of an n-gram index")
    header.unlink()
    refused("no n-gram index in")


def test_an_index_of_another_tokenizer_is_refused(index, tokenizer, texts, tmp_path):
    encode = load_tokenizer(tokenizer)
    NgramIndex.open(index, encode)
    encode.add_tokens(["another"])
    with pytest.raises(UserError, match="is of another tokenizer"):
        NgramIndex.open(index, encode)
    encode.save_pretrained(tmp_path / "other")
    with pytest.raises(UserError, match="is of another tokenizer"):
        update(index, [texts], tmp_path / "other")


def test_an_index_is_not_overwritten(index, tokenizer, texts):
    with pytest.raises(UserError, match="has an index already"):
        build([texts], index, tokenizer)
    with pytest.raises(UserError, match="has an index already"):
        build_from_ids([], index, 5)


@pytest.mark.parametrize(
    "name, content, words",
    [
        ("a.txt", b"good\n\xff", "a.txt is not UTF-8 at byte 5"),
        ("a.jsonl", b'{"txt": "a"}\n', "a.jsonl: no JSON object with a text 'text'"),
        ("a.jsonl", b'{"text": 1}\n', "no JSON object with a text"),
        ("a.jsonl", b"[\n", "no JSON object with a text"),
    ],
)
def test_texts_that_cannot_be_read(name, content, words, tmp_path):
    (tmp_path / name).write_bytes(content)
    (piece,) = counting.pieces([tmp_path / name])
    with pytest.raises(UserError, match=words):
        list(counting.documents(piece))


def test_no_texts(tmp_path):
    with pytest.raises(UserError, match="no file or folder"):
        counting.pieces([tmp_path / "nowhere"])
    with pytest.raises(UserError, match=r"holds no \.txt or \.jsonl file"):
        counting.pieces([tmp_path])
    (tmp_path / "empty.txt").touch()
    with pytest.raises(UserError, match="nothing to count"):
        counting.pieces([tmp_path])
