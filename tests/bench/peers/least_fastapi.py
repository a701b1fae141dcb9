"""The least that a function with FastAPI and Mangum does: a route, the calls, a log line."""

import logging

import calls
from fastapi import FastAPI
from fastapi.responses import JSONResponse
from mangum import Mangum

logging.getLogger().setLevel(logging.INFO)
app = FastAPI()


@app.api_route("/{path:path}", methods=["GET", "POST"])
async def any_route(path: str) -> JSONResponse:
    """Make the calls."""
    calls.make()
    logging.info("done %s", path)
    return JSONResponse({"status": "ok"})


lambda_handler = Mangum(app, lifespan="off")
