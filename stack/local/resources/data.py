"""Tables, buckets and secrets."""

from typing import Any

from stack.local.resources.registry import Blueprint, Created, Inputs, creates, physical_name


@creates("aws:dynamodb/table:Table")
def table(cloud: Blueprint, logical: str, inputs: Inputs) -> Created:
    """A DynamoDB table with its indexes and TTL."""
    name = physical_name(logical, inputs)
    dynamodb = cloud.client("dynamodb")
    indexes = [_index(index) for index in inputs.get("globalSecondaryIndexes") or []]
    definition: dict[str, Any] = {
        "TableName": name,
        "BillingMode": inputs.get("billingMode", "PROVISIONED"),
        "KeySchema": _key_schema(inputs.get("hashKey"), inputs.get("rangeKey")),
        "AttributeDefinitions": [
            {"AttributeName": attribute["name"], "AttributeType": attribute["type"]}
            for attribute in inputs.get("attributes") or []
        ],
        "DeletionProtectionEnabled": bool(inputs.get("deletionProtectionEnabled")),
    }
    if indexes:
        definition["GlobalSecondaryIndexes"] = indexes
    if (inputs.get("serverSideEncryption") or {}).get("enabled"):
        definition["SSESpecification"] = {"Enabled": True}
    arn = dynamodb.create_table(**definition)["TableDescription"]["TableArn"]
    if (inputs.get("ttl") or {}).get("enabled"):
        dynamodb.update_time_to_live(
            TableName=name, TimeToLiveSpecification={"Enabled": True, "AttributeName": inputs["ttl"]["attributeName"]}
        )
    if (inputs.get("pointInTimeRecovery") or {}).get("enabled"):
        dynamodb.update_continuous_backups(
            TableName=name, PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": True}
        )
    return name, {"name": name, "arn": arn}


def _key_schema(hash_key: str | None, range_key: str | None) -> list[dict[str, str]]:
    keys = [(hash_key, "HASH"), (range_key, "RANGE")]
    return [{"AttributeName": name, "KeyType": kind} for name, kind in keys if name]


def _index(index: Inputs) -> dict[str, Any]:
    projection: dict[str, Any] = {"ProjectionType": index.get("projectionType", "ALL")}
    if index.get("nonKeyAttributes"):
        projection["NonKeyAttributes"] = index["nonKeyAttributes"]
    keys = [{"AttributeName": key["attributeName"], "KeyType": key["keyType"]} for key in index["keySchemas"]]
    return {"IndexName": index["name"], "KeySchema": keys, "Projection": projection}


@creates("aws:secretsmanager/secret:Secret")
def secret(cloud: Blueprint, logical: str, inputs: Inputs) -> Created:
    """A secret, without its value."""
    name = physical_name(logical, inputs)
    arn = cloud.client("secretsmanager").create_secret(Name=name)["ARN"]
    return arn, {"arn": arn, "name": name}


@creates("aws:secretsmanager/secretVersion:SecretVersion")
def secret_version(cloud: Blueprint, _: str, inputs: Inputs) -> Created:
    """A secret's value."""
    answer = cloud.client("secretsmanager").put_secret_value(SecretId=inputs["secretId"], SecretString=inputs["secretString"])
    return f"{inputs['secretId']}|{answer['VersionId']}", {"arn": answer["ARN"], "versionId": answer["VersionId"]}


@creates("aws:s3/bucket:Bucket")
def bucket(cloud: Blueprint, logical: str, inputs: Inputs) -> Created:
    """An S3 bucket."""
    name = physical_name(logical, inputs, "bucket")
    s3 = cloud.client("s3")
    if cloud.region == "us-east-1":
        s3.create_bucket(Bucket=name)
    else:
        s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": cloud.region})
    domain = f"{name}.s3.{cloud.region}.amazonaws.com"
    return name, {"bucket": name, "arn": f"arn:aws:s3:::{name}", "bucketRegionalDomainName": domain, "bucketDomainName": domain}


@creates("aws:s3/bucketNotification:BucketNotification")
def bucket_notification(cloud: Blueprint, _: str, inputs: Inputs) -> Created:
    """Which events a bucket sends to queues."""
    queues = [
        {
            "QueueArn": queue["queueArn"],
            "Events": queue["events"],
            "Filter": {
                "Key": {
                    "FilterRules": [
                        {"Name": kind, "Value": queue[key]}
                        for kind, key in (("prefix", "filterPrefix"), ("suffix", "filterSuffix"))
                        if queue.get(key)
                    ]
                }
            },
        }
        for queue in inputs.get("queues") or []
    ]
    cloud.client("s3").put_bucket_notification_configuration(
        Bucket=inputs["bucket"], NotificationConfiguration={"QueueConfigurations": queues}
    )
    return str(inputs["bucket"]), {}


@creates("aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock")
@creates("aws:s3/bucketPolicy:BucketPolicy")
@creates("aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration")
@creates("aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration")
def bucket_setting(_: Blueprint, __: str, inputs: Inputs) -> Created:
    """A setting of a bucket that has no effect in the local cloud; moto does not get it."""
    return str(inputs["bucket"]), {}


@creates("aws:s3/bucketCorsConfiguration:BucketCorsConfiguration")
def bucket_cors(cloud: Blueprint, _: str, inputs: Inputs) -> Created:
    """Which web pages may call a bucket."""
    names = {
        "allowedHeaders": "AllowedHeaders",
        "allowedMethods": "AllowedMethods",
        "allowedOrigins": "AllowedOrigins",
        "exposeHeaders": "ExposeHeaders",
        "maxAgeSeconds": "MaxAgeSeconds",
    }
    rules = [{names[key]: value for key, value in rule.items() if key in names and value} for rule in inputs["corsRules"]]
    cloud.client("s3").put_bucket_cors(Bucket=inputs["bucket"], CORSConfiguration={"CORSRules": rules})
    return str(inputs["bucket"]), {}
