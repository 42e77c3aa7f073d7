"""Drafts of several decoders through the verb test, on prompts and on questions."""

import json
from pathlib import Path

import pytest
import torch
from tiny_completer import save

from mmsuper.cli import main
from mmsuper.errors import UserError
from mmsuper.llm import load_tokenizer
from mmsuper.projects.superposed_decoding.evaluation import DraftComparison, settings_of
from mmsuper.projects.superposed_decoding.ngrams import build
from mmsuper.projects.superposed_decoding.presets import PRESETS
from mmsuper.projects.superposed_decoding.prompts import Questions, TextPrompts

CONFIGS = Path(__file__).parents[3] / "configs/superposed_decoding"
TEXT = "\n\n".join(f"The page number {i} says what a function takes." for i in range(9))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("drafts")
    model = save(folder)
    (folder / "val.txt").write_text(TEXT)
    build([folder / "prose.txt", folder / "val.txt"], folder / "index", model, jobs=1)
    return folder


@pytest.fixture
def comparison(folder):
    decoders = {
        "superposed": {"preset": "p15_d3"},
        "one": {"preset": "p15_d3", "drafts": 1, "smoothing": None},
        "greedy": {"do_sample": False},
        "nucleus": {"do_sample": True, "top_p": 0.9, "num_return_sequences": 2},
        "beam": {"num_beams": 2, "num_return_sequences": 2, "do_sample": False},
    }
    return DraftComparison(decoders, str(folder / "tiny"), str(folder / "index"))


def samples(dataset, count=2):
    found = [dataset[i] for i in range(count)]
    return {name: [one[name] for one in found] for name in found[0]}


def test_every_decoder_completes_every_prompt(comparison, folder):
    prompts = TextPrompts(["val.txt"], folder / "tiny", prefix=6, data_root=folder)
    found = comparison.test_step(samples(prompts))
    assert [one.prompt for one in found] == [prompts[i]["inputs"].tolist() for i in range(2)]
    for one in found:
        numbers = {name: len(drafts) for name, drafts in one.drafts.items()}
        assert numbers == {"superposed": 3, "one": 1, "greedy": 1, "nucleus": 2, "beam": 2}
        assert all(len(ids) <= 10 for drafts in one.drafts.values() for ids in drafts)
        assert one.drafts["one"] == one.drafts["greedy"]
        assert one.drafts["superposed"] != one.drafts["beam"]
        assert all(seconds > 0 for seconds in one.seconds.values())
        for name, drafts in one.drafts.items():
            whole = [comparison.tokenizer.decode([*one.prompt, *ids]) for ids in drafts]
            head = comparison.tokenizer.decode(one.prompt)
            assert [head + text for text in one.texts[name]] == whole
    again = comparison.test_step(samples(prompts))
    assert [one.drafts for one in again] == [one.drafts for one in found]
    with pytest.raises(UserError, match="use it with `test`"):
        comparison(**samples(prompts), mode="loss")


def test_drafts_end_where_the_text_ends(comparison, folder, monkeypatch):
    prompts = TextPrompts(["val.txt"], folder / "tiny", prefix=6, data_root=folder)
    ids = prompts[0]["inputs"]
    usual = comparison.complete("greedy", ids.tolist()).drafts[0].ids
    end = usual[3]
    monkeypatch.setattr(comparison.language_model.generation_config, "eos_token_id", [end])
    (draft,) = comparison.complete("greedy", ids.tolist()).drafts
    assert draft.finished and draft.ids == usual[: usual.index(end) + 1]
    longer = comparison.complete("beam", ids.tolist(), max_new_tokens=12).drafts
    assert all(end not in one.ids[:-1] for one in longer)


def test_prompts_are_beginnings_of_long_enough_documents(folder):
    tokenizer = load_tokenizer(folder / "tiny")
    lengths = [len(tokenizer(text).input_ids) for text in TEXT.split("\n\n")]
    tokens = min(lengths)
    prompts = TextPrompts(["val.txt"], folder / "tiny", tokens - 4, 4, count=3, data_root=folder)
    texts = [tokenizer.decode(prompts[i]["inputs"]) for i in range(len(prompts))]
    assert [text[:17] for text in texts] == [f"The page number {i}" for i in (0, 3, 6)]
    assert all(len(prompts[i]["inputs"]) == tokens - 4 for i in range(3))
    (folder / "lines.jsonl").write_text('{"body": "One.\\n\\nTwo of them."}\n{"body": "1"}\n')
    one = TextPrompts(["lines.jsonl"], folder / "tiny", 3, 2, data_root=folder, field="body")
    assert len(one) == 1
    with pytest.raises(UserError, match="no document of 1010 tokens"):
        TextPrompts(["val.txt"], folder / "tiny", prefix=1000, data_root=folder)


TRIVIA = {"Data": [{"Question": "Who?", "Answer": {"Value": "I", "Aliases": ["I", "Me and you"]}}]}


def test_questions(folder):
    tokenizer = load_tokenizer(folder / "tiny")
    (folder / "trivia.json").write_text(json.dumps(TRIVIA))
    (folder / "nq.jsonl").write_text('{"question": "who was it", "answer": ["Me and you", "I"]}\n')
    trivia = Questions("trivia.json", "trivia", folder / "tiny", data_root=folder)[0]
    assert tokenizer.decode(trivia["inputs"]) == "Question: Who?\nAnswer:"
    known = trivia["data_samples"]
    assert known.answers == ["I", "Me and you"]
    assert known.max_new_tokens == 3 + len(tokenizer("Me and you").input_ids)
    nq = Questions("nq.jsonl", "nq", folder / "tiny", data_root=folder)[0]
    assert tokenizer.decode(nq["inputs"]) == "Answer these questions:\n\nQ: who was it?\nA:"
    assert nq["data_samples"].max_new_tokens == 3 + len(tokenizer("I").input_ids)
    fixed = Questions("nq.jsonl", "nq", folder / "tiny", max_new_tokens=5, data_root=folder)[0]
    assert fixed["data_samples"].max_new_tokens == 5
    with pytest.raises(UserError, match="not of the layout of nq questions"):
        Questions("trivia.json", "nq", folder / "tiny", data_root=folder)
    with pytest.raises(UserError, match="trivia or nq, not 'quiz'"):
        Questions("trivia.json", "quiz", folder / "tiny", data_root=folder)


def run(folder, config, *options):
    changes = [f"test_dataloader.dataset.data_root={folder}", *options]
    words = ["test", str(CONFIGS / config), str(folder / "tiny"), "--out", "found.json"]
    assert main([*words, "--work-dir", "run", "--cfg-options", *changes]) == 0
    return json.loads(Path("found.json").read_text())


@pytest.fixture
def in_own_folder(tmp_path, monkeypatch):
    torch.set_num_threads(1)
    monkeypatch.chdir(tmp_path)


def test_the_sample_config_measures_all_decoders(folder, in_own_folder):
    found = run(
        folder,
        "superposed-d3_llama-tiny_sample.py",
        f"model.ngrams={folder / 'index'}",
        "test_dataloader.dataset.files=[val.txt]",
        "test_dataloader.dataset.count=2",
        "test_dataloader.dataset.prefix=4",
        f"test_evaluator.0.scorer={folder / 'tiny'}",
    )
    decoders = {"superposed", "network_only", "ngrams_only", "nucleus", "greedy", "beam"}
    assert {name.partition("/")[0] for name in found} == decoders
    for decoder in decoders - {"greedy"}:
        ranks = [found[f"{decoder}/perplexity_{rank}"] for rank in (1, 2, 3)]
        assert found[f"{decoder}/perplexity_best"] <= min(ranks)
        assert 0 <= found[f"{decoder}/self_bleu"] <= 1
        assert found[f"{decoder}/different"] == 3 or decoder == "nucleus"
    assert found["greedy/different"] == 1


def test_questions_are_answered(folder, in_own_folder):
    (folder / "trivia.json").write_text(json.dumps(TRIVIA))
    options = ("test_dataloader.dataset.file=trivia.json", "model.dtype=float32")
    found = run(folder, "superposed-d3_llama2-7b_trivia.py", *options)
    expected = {f"superposed/P@{j}" for j in (1, 2, 3)} | {"beam/P@1", "greedy/P@1", "nucleus/P@1"}
    assert {name for name in found if "P@" in name} == expected


def test_settings_are_the_presets_with_changes():
    assert settings_of({"preset": "p15_d2"}) == PRESETS["p15_d2"]
    changed = settings_of({"preset": "p15_d3", "alpha": 0.1, "weights": [1, 2]})
    assert (changed.alpha, changed.weights, changed.drafts) == (0.1, (1, 2), 3)
    with pytest.raises(UserError, match="no preset 'p1'"):
        settings_of({"preset": "p1"})
    with pytest.raises(UserError, match="has the settings drafts, kept"):
        settings_of({"preset": "p15_d3", "alpa": 0.1})


@pytest.mark.parametrize("path", sorted(CONFIGS.glob("*_openwebtext.py")), ids=lambda p: p.stem)
def test_a_config_s_name_says_what_it_measures(path):
    from mmsuper import configuration

    config = configuration.load(path)
    name, data = path.stem.split("_")[0], config.test_dataloader.dataset
    settings = settings_of(config.model.decoders.superposed)
    assert data.beyond == settings.max_new_tokens
    prompt = f"p{data.prefix}" if "-g" not in name else f"g{settings.max_new_tokens}"
    assert name.startswith(f"superposed-{prompt}-d{settings.drafts}")
