"""The least that a function with Chalice does: a route, a queue or neither; the calls, a log line."""

import calls
from chalice import Chalice

app = Chalice(app_name="bench")
app.log.setLevel("INFO")


def _do():
    calls.make()
    app.log.info("done")
    return {"status": "ok"}


@app.route("/drafts", methods=["POST"])
@app.route("/health", methods=["GET"])
def request():
    """Answer a request."""
    return _do()


@app.route("/shuttle/shops/{domain}/jobs", methods=["GET"])
def jobs(domain):
    """Answer a request."""
    return _do()


@app.on_sqs_message(queue="work")
def messages(event):
    """Work through a batch."""
    for _ in event:
        _do()


@app.lambda_function()
def plain(event, context):
    """Do what is asked for."""
    return _do()
