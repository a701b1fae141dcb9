"""The partition keys of moto's DynamoDB tables, for ``dynamodb:LeadingKeys``."""

from moto.dynamodb.models import dynamodb_backends


def hash_key_of(resource: str, account_id: str) -> str | None:
    """The partition key's attribute of a table or index, by its ARN; None if it does not exist in this account."""
    _, _, _, region, account, path = resource.split(":", 5)
    _, name, *index = path.split("/")
    table = dynamodb_backends[account_id][region].tables.get(name) if account == account_id else None
    if table is None:
        return None
    schemas = {each.name: each.schema for each in table.all_indexes()}
    schema = schemas.get(index[1]) if len(index) == 2 else table.schema
    return next((str(key["AttributeName"]) for key in schema or () if key["KeyType"] == "HASH"), None)
