"""How moto's DynamoDB tables are keyed, which decides what a request's leading keys are."""

from moto.dynamodb.models import dynamodb_backends


def hash_key_of(resource: str, account_id: str) -> str | None:
    """The attribute that a table or an index is partitioned by, by its ARN; None if it is not there, or another account's."""
    _, _, _, region, account, path = resource.split(":", 5)
    _, name, *index = path.split("/")
    table = dynamodb_backends[account_id][region].tables.get(name) if account == account_id else None
    if table is None:
        return None
    schemas = {each.name: each.schema for each in table.all_indexes()}
    schema = schemas.get(index[1]) if len(index) == 2 else table.schema
    return next((str(key["AttributeName"]) for key in schema or () if key["KeyType"] == "HASH"), None)
