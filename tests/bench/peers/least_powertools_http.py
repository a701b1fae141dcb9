"""A function with routes, with Powertools Event Handler."""

from aws_lambda_powertools.event_handler import APIGatewayRestResolver
from least_powertools import do, metrics

app = APIGatewayRestResolver()
app.post("/drafts")(do)
app.get("/health")(do)
app.get("/shuttle/shops/<domain>/jobs")(lambda domain: do())

lambda_handler = metrics.log_metrics(app.resolve)
