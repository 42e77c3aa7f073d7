"""The page of the verb serve, typed into in a real browser."""

import os
import re
import shutil
import threading

import pytest
import uvicorn
from playwright.sync_api import expect, sync_playwright

from mmsuper.apis.models import find_config
from mmsuper.projects.superposed_decoding import completer, server

# On a busy machine, too.
expect.set_options(timeout=30_000)

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")


@pytest.fixture(scope="module")
def address():
    """Of a server of the model that ships with us."""
    listener = server.listen("127.0.0.1", 0)
    app = server.create_app(completer.load(find_config("spd"), device="cpu"))
    running = uvicorn.Server(uvicorn.Config(app, log_level="error"))
    thread = threading.Thread(target=running.run, args=([listener],), daemon=True)
    thread.start()
    yield server.address(listener)
    running.should_exit = True
    thread.join()


@pytest.fixture(scope="module")
def browser():
    path = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, BROWSERS)), None)
    if path is None:
        # Not a skip: without a browser nobody knows whether the page works.
        pytest.fail("this test needs Chromium: `apt-get install chromium`, or set CHROMIUM")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def page(browser, address):
    """The page, which has no errors."""
    page, errors = browser.new_page(), []
    page.on("pageerror", lambda error: errors.append(error))
    page.goto(address)
    yield page
    page.close()
    assert errors == []


@pytest.mark.slow
def test_drafts_come_while_one_types_and_keys_choose_them(page):
    asked = []
    page.on("request", lambda request: asked.append(request.post_data_json))
    text, rows = page.get_by_role("textbox", name="Your text"), page.get_by_role("option")
    text.press_sequentially("The pages", delay=10)
    expect(page.get_by_role("status")).to_have_text("3 drafts")
    assert asked[-1]["prompt"] == "The pages"
    assert len(asked) < len("The pages"), "it does not ask after every key"
    expect(rows).to_have_count(3)
    expect(page.locator("#effective")).to_have_text(
        re.compile(r"^[12]\.\d\d of 3 drafts in the mix$")
    )
    drafts = page.locator(".draft").all_text_contents()
    expect(page.locator("#ghost")).to_have_text(f"The pages{drafts[0]}", use_inner_text=False)

    text.press("ArrowDown")
    expect(rows.nth(1)).to_have_attribute("aria-selected", "true")
    expect(text).to_have_attribute("aria-activedescendant", "draft-1")
    text.press("Tab")
    accepted = "The pages" + drafts[1]
    expect(text).to_have_value(accepted)
    expect(text).to_be_focused()
    expect(page.get_by_role("status")).to_have_text("3 drafts")
    assert asked[-1]["prompt"] == accepted.rstrip()

    text.press("Escape")
    expect(rows).to_have_count(0)
    text.press("Tab")
    expect(page.get_by_label("drafts", exact=True)).to_be_focused()


@pytest.mark.slow
def test_typing_on_ends_the_request_before(page):
    text, ended = page.get_by_role("textbox", name="Your text"), []
    page.on("requestfailed", lambda request: ended.append(request.post_data_json["prompt"]))

    def never_answer_the_first(route):
        if route.request.post_data_json["prompt"] != "One":
            route.continue_()

    page.route("**/v1/completions", never_answer_the_first)
    with page.expect_request("**/v1/completions"):
        text.fill("One")
    with page.expect_request("**/v1/completions"):
        text.press_sequentially(" two")
    expect(page.get_by_role("option")).to_have_count(3)
    assert ended == ["One"]


@pytest.mark.slow
def test_what_the_server_refuses_is_said(page):
    page.get_by_label("drafts", exact=True).fill("99")
    page.get_by_role("textbox", name="Your text").fill("Three")
    expect(page.get_by_role("alert")).to_have_text("No drafts: n: at most 64 here, not 99")
