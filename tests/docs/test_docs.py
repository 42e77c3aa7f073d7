"""The site builds; what pages and READMEs say of files, commands and numbers is so."""

import argparse
import importlib
import importlib.util
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from mmsuper.cli import VERBS, main

ROOT = Path(__file__).parents[2]
# docs/projects is made from the projects' READMEs.
PAGES = [
    page
    for page in sorted(
        [ROOT / "README.md", *ROOT.glob("projects/*/README.md"), *ROOT.glob("docs/**/*.md")]
    )
    if page.parent.name != "projects"
]
README_SECTION = "## Train, test, use"


def relative(page):
    return str(page.relative_to(ROOT))


def commands(text):
    """The words after ``python -m mmsuper`` of every command in a page's code."""
    for line in text.replace("\\\n", " ").splitlines():
        # An optional part is one that can be written.
        found = re.match(r"(?:\$ )?(?:\S*torchrun .*|srun .* python |python )-m mmsuper (.*)", line)
        if found:
            yield shlex.split(re.sub(r"[\[\]]", "", found[1]), comments=True)


@pytest.fixture(scope="module")
def paper_pages():
    spec = importlib.util.spec_from_file_location("paper_pages", ROOT / "docs/paper_pages.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.slow
def test_the_site_builds_without_a_warning(tmp_path):
    build = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", "-b", "html"]
    done = subprocess.run([*build, "docs", str(tmp_path)], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    page = (tmp_path / "projects/dlgsanet.html").read_text()
    assert "32.4957 / 0.8992" in page
    for readme in ROOT.glob("projects/*/README.md"):
        html = (tmp_path / f"projects/{readme.parent.name}.html").read_text()
        assert html.count("<img alt=") == readme.read_text().count("![")
    for html in tmp_path.rglob("*.html"):
        loaded = re.findall(
            r'<(?:link|script|img)\b[^>]*(?:href|src)="(https?://[^"]+)', html.read_text()
        )
        assert loaded == [], f"{html.name} loads from the network"


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_a_page_in_the_table_of_contents(verb):
    assert (ROOT / f"docs/verbs/{verb}.md").is_file()
    assert f"\nverbs/{verb}\n" in (ROOT / "docs/index.md").read_text()


@pytest.mark.parametrize("page", PAGES, ids=relative)
def test_paths_that_a_page_names_exist(page):
    # Not what a link points at: the next test looks.
    names = re.findall(
        r"(?<![\w/:.(])((?:configs|projects|tests|benchmarks|demo|tools|mmsuper|docs)/[\w./*-]*[\w*])",
        page.read_text(),
    )
    made = ("demo/output", "docs/_build")
    missing = [n for n in set(names) if not n.startswith(made) and not list(ROOT.glob(n))]
    assert missing == []


@pytest.mark.parametrize("page", PAGES, ids=relative)
def test_links_between_files_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text()):
        if "://" not in target and not target.startswith("#"):
            path = target.partition("#")[0]
            paper = re.fullmatch(r"(?:\.\./)*projects/(\w+)\.md", path)
            file = ROOT / "projects" / paper[1] / "README.md" if paper else page.parent / path
            assert file.exists(), target


@pytest.mark.parametrize("page", PAGES, ids=relative)
def test_commands_have_the_options_that_a_page_gives_them(page):
    for words in commands(page.read_text()):
        verb, *rest = words
        if verb not in VERBS:
            assert verb in ("VERB", "--help"), words
            continue
        module = importlib.import_module(f"mmsuper.cli.{verb}")
        parser = argparse.ArgumentParser(prog=f"{relative(page)}: {verb}", exit_on_error=False)
        parser.add_argument("--debug", action="store_true")
        module.add_arguments(parser)
        parser.parse_args(rest)


def test_a_project_s_tables_are_those_of_its_metafile(paper_pages):
    for metafile in paper_pages.metafiles():
        readme = paper_pages.readme_of(metafile).read_text()
        assert paper_pages.with_results(readme, metafile) == readme, (
            "run `python docs/paper_pages.py`"
        )


def test_results_say_whose_they_are(paper_pages):
    metadata = {"Source": "paper", "Parameters": 12345, "FLOPs": 2.04e9, "Input Size": "3x4"}
    scores = {"Dataset": "Set5", "Metrics": {"PSNR": 32.5, "SSIM": 0.9}}
    theirs = {"Name": "a", "Config": "configs/a.py", "Metadata": metadata, "Results": [scores]}
    ours = {**theirs, "Name": "b", "Metadata": {**metadata, "Source": "mmsuper"}}
    ours["Weights"] = "demo/weights/b.safetensors"
    *_, first, second = paper_pages.results([theirs, ours]).splitlines()
    cost = "12,345 | 2.0 G @ 3x4"
    assert first == f"| [a](../../configs/a.py) | {cost} | Set5 32.50 / 0.9000 | - | - | - |"
    link = "[b.safetensors](../../demo/weights/b.safetensors)"
    assert second == f"| [b](../../configs/a.py) | {cost} | - | - | Set5 32.50 / 0.9000 | {link} |"


def test_links_of_a_readme_work_on_the_site(paper_pages):
    folder, page = ROOT / "projects/x", ROOT / "docs/projects/x.md"
    text = "[a](../../docs/data.md) [b](network.py) [network.py](network.py) [c](https://c.org)"
    expected = "[a](../data.md) b (`projects/x/network.py`) `network.py` [c](https://c.org)"
    assert paper_pages.links_for_site(text, folder, page) == expected
    picture = "![words](../../docs/_static/a.png)"
    assert paper_pages.links_for_site(picture, folder, page) == "![words](../_static/a.png)"


@pytest.mark.slow
def test_the_readme_s_commands_work_as_written(tmp_path, monkeypatch, capsys):
    """Train, test and use, with two iterations instead of fifty."""
    section = (ROOT / "README.md").read_text().partition(README_SECTION)[2]
    block = re.search(r"```bash\n(.*?)```", section, re.DOTALL)[1]
    assert "max_iters=50" in block and "iter_50.pth" in block
    block = block.replace("max_iters=50", "max_iters=2").replace("iter_50", "iter_2")
    (tmp_path / "configs").symlink_to(ROOT / "configs")
    monkeypatch.chdir(tmp_path)
    verbs = list(commands(block))
    assert [words[0] for words in verbs] == ["train", "test", "infer"]
    for words in verbs:
        assert main(words) == 0
        assert words[0] != "test" or "PSNR" in capsys.readouterr().out
    enlarged = {path.name for path in (tmp_path / "enlarged").glob("*.png")}
    assert enlarged == {path.name for path in (tmp_path / "enlarged/compare").glob("*.png")}
    assert len(enlarged) == 5
