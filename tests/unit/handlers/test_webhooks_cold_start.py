"""The webhooks function starts without what only the worker needs: the SDKs that talk to Jira and retry."""

from tests.unit.handlers.test_cold_start import heavy_imports_of


def test_the_webhooks_function_imports_flask_only() -> None:
    variables = {"ARTIFACT_BUCKET_NAME": "artifacts", "JIRA_QUEUE_URL": "https://sqs.example/queue", "HISTORY_DAYS": "90"}

    assert heavy_imports_of("webhooks", **variables) == {"flask", "jinja2", "werkzeug"}
