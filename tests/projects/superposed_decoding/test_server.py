"""The server, asked by OpenAI's own client and by rude ones."""

import json
import os
import signal
import socket
import threading
import time

import httpx
import openai
import pytest
import tiny_completer
import uvicorn
from scripted_completer import Scripted

from mmsuper.cli import main
from mmsuper.projects.superposed_decoding import server
from mmsuper.projects.superposed_decoding.completions import Limits
from mmsuper.projects.superposed_decoding.generate import superposed_generate

PROMPT = "The pages say what"


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    return tiny_completer.make(tmp_path_factory.mktemp("tiny"))


@pytest.fixture
def serving():
    """Serves a completer; returns the address. At the end all servers stop."""
    running = []

    def start(completer, **options):
        listener = server.listen("127.0.0.1", 0)
        # A client that does not read is felt after some kilobytes, not megabytes.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        config = uvicorn.Config(server.create_app(completer, **options), log_level="critical")
        running.append(uvicorn.Server(config))
        threading.Thread(target=running[-1].run, args=([listener],), daemon=True).start()
        return server.address(listener)

    yield start
    for one in running:
        one.should_exit = True


def client_of(address):
    return openai.OpenAI(base_url=f"{address}/v1", api_key="none", max_retries=0)


def complete(address, **body):
    return client_of(address).completions.create(**{"model": "scripted", "prompt": "a", **body})


def is_up(address):
    try:
        return httpx.get(f"{address}/health").status_code == 200
    except httpx.TransportError:
        return False


def wait_until(holds):
    for _ in range(1000):
        if holds():
            return
        time.sleep(0.02)
    raise AssertionError("waited in vain")


def joined(events):
    """The texts of a stream by index, how each ended, and the last event."""
    texts, reasons = {}, {}
    for event in events:
        for choice in event.choices:
            assert choice.index not in reasons, "a choice went on after its end"
            texts[choice.index] = texts.get(choice.index, "") + choice.text
            if choice.finish_reason:
                reasons[choice.index] = choice.finish_reason
    return texts, reasons, event


def test_openai_s_client_gets_the_drafts_of_superposed_generate(tiny, serving):
    client = client_of(serving(tiny))
    assert [model.id for model in client.models.list()] == [tiny.name]
    prompts = [PROMPT, "def f(x):"]
    answer = client.completions.create(model=tiny.name, prompt=prompts, n=2, max_tokens=6)
    expected = superposed_generate(tiny.model, tiny.tokenizer, prompts, 2, 6)
    texts = [text for drafts in expected for text in drafts.texts]
    assert [choice.text for choice in answer.choices] == texts and all(texts)
    assert [choice.index for choice in answer.choices] == [0, 1, 2, 3]
    assert {choice.finish_reason for choice in answer.choices} == {"length"}
    scores = [[draft["score"] for draft in drafts] for drafts in answer.mmsuper["drafts"]]
    assert scores == [pytest.approx(drafts.scores) for drafts in expected]
    read = sum(len(tiny.tokenizer(prompt).input_ids) for prompt in prompts)
    usage = (answer.usage.prompt_tokens, answer.usage.completion_tokens, answer.usage.total_tokens)
    assert usage == (read, 24, read + 24)

    ids = [tiny.tokenizer(prompt).input_ids for prompt in prompts]
    same = client.completions.create(model=tiny.name, prompt=ids, n=2, max_tokens=6, seed=5)
    assert [choice.text for choice in same.choices] == texts
    events = client.completions.create(
        model=tiny.name,
        prompt=prompts,
        n=2,
        max_tokens=6,
        stream=True,
        stream_options={"include_usage": True},
    )
    streamed, reasons, last = joined(events)
    assert streamed == dict(enumerate(texts)) and len(reasons) == 4
    assert last.usage == answer.usage and last.choices == []


def test_a_stream_sends_what_is_settled_and_takes_nothing_back(serving):
    script = [["a", "b", "c"], ["xya", "xyb"], ["xybq", "xyap."], ["xybqr.", "xyap."]]
    events = list(complete(serving(Scripted(script, [0, 2, 2, 2])), n=3, stream=True))
    pieces = [[(c.index, c.text, c.finish_reason) for c in event.choices] for event in events]
    assert pieces[:4] == [[(0, piece, None)] for piece in ("", "xy", "", "")]
    assert pieces[4] == [(0, "bqr.", "stop"), (1, "xyap.", "stop")]
    grown = [[draft["text"] for draft in event.mmsuper["drafts"][0]] for event in events]
    assert grown == [*script, script[-1]]


@pytest.mark.parametrize("stream", [False, True])
def test_stop_sequences_end_texts_and_are_not_in_them(serving, stream):
    # At "xE", and at "xENnEN", nothing tells whether a stop sequence has begun.
    script = [["xE"], ["xENn"], ["xENnEN"], ["xENnENDy"], ["never"]]
    completer = Scripted(script, [2, 4, 6, 8, 5])
    answer = complete(serving(completer), n=1, stop=["END", "ENDING"], stream=stream)
    if stream:
        texts, reasons, _ = joined(answer)
        assert (texts, reasons) == ({0: "xENn"}, {0: "stop"})
    else:
        choice = answer.choices[0]
        assert (choice.text, choice.finish_reason) == ("xENn", "stop")


REFUSED = {
    "not JSON": ("{", 400, None, None),
    "not UTF-8": (b'{"prompt": "\xff"}', 400, None, None),
    "deeply nested": ('{"prompt": ' + 100_000 * "[", 400, None, None),
    "half a character": ('{"prompt": "\\ud800"}', 400, "prompt", None),
    "no number": ('{"prompt": "a", "temperature": NaN}', 400, "temperature", None),
    "not an object": ("[]", 400, None, None),
    "no prompt": ({}, 400, "prompt", None),
    "a number as prompt": ({"prompt": 5}, 400, "prompt", None),
    "an empty prompt": ({"prompt": ""}, 400, "prompt", None),
    "no prompts": ({"prompt": []}, 400, "prompt", None),
    "an unknown token": ({"prompt": [1, 128]}, 400, "prompt", None),
    "a long prompt": ({"prompt": "a" * 60}, 400, "prompt", "context_length_exceeded"),
    "many prompts": ({"prompt": ["a"] * 40, "n": 2}, 400, "prompt", None),
    "no drafts": ({"prompt": "a", "n": 0}, 400, "n", None),
    "many drafts": ({"prompt": "a", "n": 65}, 400, "n", None),
    "a text as number": ({"prompt": "a", "n": "3"}, 400, "n", None),
    "many tokens": ({"prompt": "a", "max_tokens": 33}, 400, "max_tokens", None),
    "many stops": ({"prompt": "a", "stop": list("abcde")}, 400, "stop", None),
    "another model": ({"prompt": "a", "model": "gpt"}, 404, "model", "model_not_found"),
    "logprobs": ({"prompt": "a", "logprobs": 0}, 400, "logprobs", "unsupported_parameter"),
    "nonsense": ({"prompt": "a", "tempo": 1}, 400, "tempo", "unknown_parameter"),
    "a large body": ({"prompt": "a" * 1_000_001}, 413, None, None),
}


@pytest.fixture(scope="module")
def refusing():
    """Asks an application without a network, whose model would fail."""
    import asyncio

    app = server.create_app(Scripted([RuntimeError("asked the model")]), Limits(max_tokens=32))

    def ask(method, path, **options):
        async def once():
            transport = httpx.ASGITransport(app, raise_app_exceptions=False)
            async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
                return await client.request(method, path, **options)

        return asyncio.run(once())

    return ask


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_answered_is_refused_in_openai_s_form(refusing, case):
    body, status, param, code = REFUSED[case]
    content = body if isinstance(body, str | bytes) else json.dumps(body)
    headers = {"Content-Type": "application/json"}
    answer = refusing("POST", "/v1/completions", content=content, headers=headers)
    assert answer.status_code == status
    error = answer.json()["error"]
    assert (error["param"], error["code"]) == (param, code)
    assert error["message"] and error["type"] == "invalid_request_error"


def test_other_paths_methods_and_failures_are_answered_in_json_too(refusing):
    assert refusing("GET", "/v2").json()["error"]["message"] == "Not Found"
    assert refusing("GET", "/v1/completions").status_code == 405
    assert refusing("GET", "/v1/models/gpt").json()["error"]["code"] == "model_not_found"
    failed = refusing("POST", "/v1/completions", json={"prompt": "a"})
    assert (failed.status_code, failed.json()["error"]["type"]) == (500, "server_error")
    assert "asked the model" not in failed.text


def test_a_prompt_that_is_too_long_begins_later_if_asked_to(serving):
    address = serving(Scripted([["x"]]))
    body = {"prompt": "a" * 60, "n": 1, "max_tokens": 10}
    with pytest.raises(openai.BadRequestError, match="at most 54"):
        complete(address, **body)
    for keep, read in ((-1, 54), (7, 7)):
        answer = complete(address, **body, extra_body={"truncate_prompt_tokens": keep})
        assert answer.usage.prompt_tokens == read


def test_a_failure_while_streaming_ends_the_stream_with_an_error(serving):
    events = complete(serving(Scripted([["a"], RuntimeError("broken")])), n=1, stream=True)
    with pytest.raises(openai.APIError, match="the server failed: RuntimeError"):
        list(events)


def test_too_many_requests_are_refused_and_one_that_hangs_up_makes_room(serving):
    completer = Scripted([["a"]] * 3000)
    completer.pause, completer.ended = 0.01, threading.Event()
    address = serving(completer, max_concurrent=1)
    unread = complete(address, n=1, stream=True)
    with pytest.raises(openai.RateLimitError, match="1 requests are being worked on"):
        complete(address)
    assert httpx.get(f"{address}/health").json()["running"] == 1
    assert not completer.ended.is_set()
    unread.close()
    assert completer.ended.wait(20), "it goes on for nobody"
    completer.script = [["b"]]
    assert complete(address, n=1).choices[0].text == "b"


def test_a_client_that_does_not_read_keeps_nobody_waiting(serving):
    address = serving(Scripted([["long " * 2000]] * 64), max_concurrent=1)
    host, port = address.removeprefix("http://").split(":")
    body = json.dumps({"prompt": "a", "stream": True}).encode()
    with socket.create_connection((host, int(port))) as deaf:
        deaf.sendall(
            b"POST /v1/completions HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
            b"Content-Length: %d\r\n\r\n%s" % (len(body), body)
        )
        assert deaf.recv(15) == b"HTTP/1.1 200 OK"
        wait_until(lambda: httpx.get(f"{address}/health").json()["running"] == 0)
        assert complete(address, n=1).choices


def test_the_page_loads_nothing_from_elsewhere(refusing):
    page = refusing("GET", "/")
    assert "default-src 'none'" in page.headers["Content-Security-Policy"]
    assert "//" not in page.text.replace("/v1/", "").split("<script>")[0]


def test_a_port_that_is_taken_is_said_before_a_model_is_loaded(capsys):
    with server.listen("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        assert main(["serve", "--port", str(port), "--weights", "nowhere"]) == 2
    assert f"cannot listen at 127.0.0.1, port {port}: " in capsys.readouterr().err


@pytest.mark.slow
def test_serve_says_where_it_is_and_a_signal_ends_it_well(capsys):
    with server.listen("127.0.0.1", 0) as free:
        address = server.address(free)
    told = []

    def complete_then_stop():
        wait_until(lambda: is_up(address))
        told.extend(complete(address, model="tiny-llama", prompt="The", n=2).choices)
        os.kill(os.getpid(), signal.SIGTERM)

    before = signal.getsignal(signal.SIGTERM)
    threading.Thread(target=complete_then_stop, daemon=True).start()
    assert main(["serve", "--port", address.rpartition(":")[2], "--device", "cpu"]) == 0
    assert capsys.readouterr().out == f"tiny-llama at {address} (Ctrl-C stops)\nstopped\n"
    assert len(told) == 2 and all(choice.text for choice in told)
    assert signal.getsignal(signal.SIGTERM) is before
