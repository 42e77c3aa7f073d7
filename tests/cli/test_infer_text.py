"""infer for texts, with the language model that ships with us."""

import json

import pytest

from mmsuper.cli import main
from mmsuper.projects.superposed_decoding.decoding import Settings
from mmsuper.projects.superposed_decoding.ngrams import build_from_ids


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    """Where there is no index under the name that the model's config has for it."""
    monkeypatch.chdir(tmp_path)


def drafts_of(capsys, *words):
    assert main(["infer", "spd", *words, "--device", "cpu", "--json"]) == 0
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_each_text_gets_as_many_drafts_of_the_length_asked_for(capsys):
    one, two = drafts_of(capsys, "The function returns", "Once", "--k", "2", "--max-new-tokens=4")
    assert (one["model"], one["prompt"], two["prompt"]) == (
        "tiny-llama",
        "The function returns",
        "Once",
    )
    for found in (one, two):
        assert [len(found["drafts"]), len(found["effective"])] == [2, 4]
        first, second = found["drafts"]
        assert first["score"] > second["score"] and first["text"] != second["text"]


def test_presets_and_ngrams_change_what_comes(capsys, tmp_path):
    words = ("The function returns", "--max-new-tokens", "3")
    [plain] = drafts_of(capsys, *words)
    [preset] = drafts_of(capsys, *words, "--preset", "p15_d10")
    assert [len(plain["drafts"]), len(preset["drafts"])] == [Settings().drafts, 10]
    # Counts of ids, of no tokenizer: token 100 follows all.
    build_from_ids([[i, 100] for i in range(4096)], tmp_path / "index", 4096)
    [counted] = drafts_of(capsys, *words, "--ngrams", str(tmp_path / "index"))
    assert counted["drafts"][0]["score"] < plain["drafts"][0]["score"] - 1


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["spd", "A text", "-o", "folder"], "--out is for super-resolution"),
        (["dlgsanet", "a.png", "-o", "folder", "--k", "3"], "--k is for text completion"),
        (["dlgsanet", "a.png"], "-o names a folder"),
        (["spd", "A text", "--preset", "p1"], "no preset 'p1'"),
        (["spd", "A text", "--weights", "nowhere/at/all"], "no tokenizer at nowhere/at/all"),
        (["spd", "A text", "--ngrams", "nowhere"], "no n-gram index in nowhere"),
        (["llama-tiny_sample", "A text"], "infer spd TEXT --weights FOLDER"),
        (["spd", ""], "an empty prompt"),
        (["spd", "word " * 300], "are more than the 256 that tiny-llama reads"),
    ],
)
def test_what_makes_no_sense_is_refused_in_a_sentence(capsys, words, says):
    assert main(["infer", *words]) == 2
    assert says in capsys.readouterr().err
