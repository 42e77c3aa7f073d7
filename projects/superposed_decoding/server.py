"""Drafts over HTTP: OpenAI's completions endpoint, and a page that shows drafts while one types.

One thread does a step of each request in turn, and events are kept until their client
fetches them, so neither a long request nor a slow client keeps others waiting. A client that
hangs up ends its request. See :mod:`~mmsuper.projects.superposed_decoding.completions` for
what a request may ask for.
"""

from __future__ import annotations

import json
import logging
import signal
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import uvicorn
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, JSONResponse, Response, StreamingResponse
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mmsuper.errors import UserError
from mmsuper.projects.superposed_decoding import completions
from mmsuper.projects.superposed_decoding.completer import Completer
from mmsuper.projects.superposed_decoding.completions import (
    Answer,
    ApiError,
    CompletionRequest,
    Limits,
    Step,
)
from mmsuper.projects.superposed_decoding.turns import Computation, Full, Turns

logger = logging.getLogger("uvicorn.error")

MAX_BODY = 1_000_000  # bytes of a request
# Seconds in which requests may be completed after the server was told to stop.
LAST_CALL = 5

# The page loads nothing from anywhere, so it works without a network.
PAGE_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; connect-src 'self'; img-src data:; "
    "style-src 'unsafe-inline'; script-src 'unsafe-inline'; frame-ancestors 'none'"
}


def create_app(
    completer: Completer, limits: Limits | None = None, max_concurrent: int = 8
) -> FastAPI:
    """The server as an ASGI application.

    Args:
        completer: The model.
        limits: What a request gets and may ask for.
        max_concurrent: Most requests that are decoded at once; others are refused.
    """
    limits = limits or Limits()
    turns = Turns(max_concurrent)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        yield
        turns.close()

    # FastAPI's own pages load scripts from the network.
    app = FastAPI(docs_url=None, redoc_url=None, lifespan=lifespan)
    app.add_middleware(LimitBody)
    for kind in (ApiError, HTTPException, RequestValidationError, UserError, Exception):
        app.add_exception_handler(kind, _refuse)
    page = Path(__file__).with_name("page.html").read_text(encoding="utf-8")
    model = {
        "id": completer.name,
        "object": "model",
        "created": 0,
        "owned_by": "mmsuper",
        "mmsuper": {
            "drafts": limits.drafts,
            "max_tokens": limits.max_tokens,
            "context": completer.context,
            "ngrams": completer.ngrams is not None,
        },
    }

    @app.get("/", include_in_schema=False)
    async def show_page() -> HTMLResponse:
        return HTMLResponse(page, headers=PAGE_HEADERS)

    @app.get("/health")
    async def health() -> dict[str, Any]:
        return {"status": "ok", "running": len(turns.running), "max_concurrent": turns.most}

    @app.get("/v1/models")
    async def models() -> dict[str, Any]:
        return {"object": "list", "data": [model]}

    @app.get("/v1/models/{name:path}")
    async def model_called(name: str) -> dict[str, Any]:
        if name != completer.name:
            raise ApiError(404, f"there is no model {name!r} here", "model", "model_not_found")
        return model

    @app.post("/v1/completions")
    async def complete(body: CompletionRequest, request: Request) -> Response:
        try:
            computation = turns.start(completions.steps(body, completer, limits))
        except Full:
            message = f"{turns.most} requests are being worked on; try again in a second"
            raise ApiError(429, message, code="too_many_requests") from None
        answer, n = Answer(completer.name), body.n or limits.drafts
        results = aiter(computation)
        try:
            # What is wrong with a request shows before its first step.
            last = await anext(results)
            if body.stream:
                usage = bool(body.stream_options and body.stream_options.include_usage)
                events = _events(computation, results, last, answer, n, usage)
                return StreamingResponse(events, media_type="text/event-stream")
            async for now in results:
                last = now
                if await request.is_disconnected():
                    computation.cancel()
            return JSONResponse(answer.whole(last, n))
        except BaseException:
            computation.cancel()
            raise

    return app


async def _events(
    computation: Computation,
    results: AsyncIterator[list[Step]],
    last: list[Step],
    answer: Answer,
    n: int,
    usage: bool,
) -> AsyncIterator[str]:
    """The lines of a stream."""
    sent: dict[int, int] = {}
    try:
        yield _event(answer.pieces(last, sent, n))
        async for last in results:
            yield _event(answer.pieces(last, sent, n))
        yield _event(answer.rest(last, sent, n))
        if usage:
            yield _event(answer.usage(last))
        yield "data: [DONE]\n\n"
    except Exception as error:
        # The answer has begun, so this cannot be its status any more.
        logger.exception("decoding failed")
        yield _event(_as_api_error(error).content)
    finally:
        computation.cancel()


def _event(content: dict[str, Any]) -> str:
    return f"data: {json.dumps(content, ensure_ascii=False)}\n\n"


class LimitBody:
    """Refuses bodies of more than ``MAX_BODY`` bytes, without reading on.

    Args:
        app: The application around which it is.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request through with its body counted."""
        size = 0

        async def counted() -> Message:
            nonlocal size
            message = await receive()
            size += len(message.get("body", b""))
            if size > MAX_BODY:
                raise HTTPException(413, f"a request has at most {MAX_BODY:,} bytes")
            return message

        await self.app(scope, counted, send)


async def _refuse(request: Request, error: Exception) -> JSONResponse:
    told = _as_api_error(error)
    return JSONResponse(told.content, told.status, getattr(error, "headers", None))


def _as_api_error(error: Exception) -> ApiError:
    if isinstance(error, ApiError):
        return error
    if isinstance(error, UserError):
        return ApiError(400, str(error))
    if isinstance(error, RequestValidationError):
        return _invalid(error.errors()[0])
    if isinstance(error, HTTPException):
        return ApiError(error.status_code, str(error.detail))
    return ApiError(500, f"the server failed: {type(error).__name__}")


def _invalid(error: dict[str, Any]) -> ApiError:
    """What pydantic says is wrong with a body, in our words where its own are hard to read."""
    if error["type"] == "json_invalid":
        return ApiError(400, f"the body is no valid JSON: {error['ctx']['error']}")
    name = error["loc"][1] if len(error["loc"]) > 1 else None
    if name == "prompt" and error["type"] != "missing":
        return ApiError(400, "prompt must be a text, token ids, or a list of either", name)
    if error["type"] == "extra_forbidden":
        return ApiError(400, f"there is no parameter {name!r}", name, "unknown_parameter")
    return ApiError(400, f"{name or 'body'}: {error['msg']}", name)


def serve(app: FastAPI, listener: socket.socket) -> None:
    """Serve until Ctrl-C or SIGTERM; requests under way get some seconds to be completed.

    Args:
        app: See :func:`create_app`.
        listener: See :func:`listen`; it is closed at the end.
    """
    config = uvicorn.Config(app, log_level="warning", timeout_graceful_shutdown=LAST_CALL)
    server = uvicorn.Server(config)
    # Being stopped is how a server ends well: uvicorn raises the signal again when it has
    # ended, and by default that would end the process as a failed one.
    before = {one: signal.signal(one, _no_op) for one in (signal.SIGINT, signal.SIGTERM)}
    try:
        server.run(sockets=[listener])
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)
        listener.close()


def _no_op(number: int, frame: Any) -> None:
    """Do nothing on a signal."""


def listen(host: str, port: int) -> socket.socket:
    """A socket that accepts connections.

    Raises:
        UserError: If the address cannot be had.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family)
    except (OSError, OverflowError) as error:
        raise UserError(f"cannot listen at {host}, port {port}: {error}") from error


def address(listener: socket.socket) -> str:
    """Where a browser finds a server."""
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
