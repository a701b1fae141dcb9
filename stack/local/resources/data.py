"""Tables, buckets and secrets."""

from typing import Any

from stack.local.resources.registry import Blueprint, Created, Inputs, creates, pascal, physical_name


@creates("aws:dynamodb/table:Table")
def _table(cloud: Blueprint, logical: str, inputs: Inputs) -> Created:
    name = physical_name(cloud, logical, inputs)
    dynamodb = cloud.client("dynamodb")
    keys = [(inputs.get("hashKey"), "HASH"), (inputs.get("rangeKey"), "RANGE")]
    definition: dict[str, Any] = {
        "TableName": name,
        "BillingMode": inputs.get("billingMode", "PROVISIONED"),
        "KeySchema": [{"AttributeName": key, "KeyType": kind} for key, kind in keys if key],
        "AttributeDefinitions": [
            {"AttributeName": attribute["name"], "AttributeType": attribute["type"]}
            for attribute in inputs.get("attributes") or []
        ],
        "DeletionProtectionEnabled": bool(inputs.get("deletionProtectionEnabled")),
    }
    if indexes := inputs.get("globalSecondaryIndexes"):
        definition["GlobalSecondaryIndexes"] = [_index(index) for index in indexes]
    if (inputs.get("serverSideEncryption") or {}).get("enabled"):
        definition["SSESpecification"] = {"Enabled": True}
    arn = dynamodb.create_table(**definition)["TableDescription"]["TableArn"]
    if (inputs.get("ttl") or {}).get("enabled"):
        dynamodb.update_time_to_live(TableName=name, TimeToLiveSpecification=pascal(inputs["ttl"]))
    if (inputs.get("pointInTimeRecovery") or {}).get("enabled"):
        dynamodb.update_continuous_backups(
            TableName=name, PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": True}
        )
    return name, {"name": name, "arn": arn}


def _index(index: Inputs) -> dict[str, Any]:
    projection: dict[str, Any] = {"ProjectionType": index.get("projectionType", "ALL")}
    if index.get("nonKeyAttributes"):
        projection["NonKeyAttributes"] = index["nonKeyAttributes"]
    return {"IndexName": index["name"], "KeySchema": pascal(index["keySchemas"]), "Projection": projection}


@creates("aws:secretsmanager/secret:Secret")
def _secret(cloud: Blueprint, logical: str, inputs: Inputs) -> Created:
    name = physical_name(cloud, logical, inputs)
    arn = cloud.client("secretsmanager").create_secret(Name=name)["ARN"]
    return arn, {"arn": arn, "name": name}


@creates("aws:secretsmanager/secretVersion:SecretVersion")
def _secret_version(cloud: Blueprint, _: str, inputs: Inputs) -> Created:
    answer = cloud.client("secretsmanager").put_secret_value(SecretId=inputs["secretId"], SecretString=inputs["secretString"])
    return f"{inputs['secretId']}|{answer['VersionId']}", {"arn": answer["ARN"], "versionId": answer["VersionId"]}


@creates("aws:s3/bucket:Bucket")
def _bucket(cloud: Blueprint, logical: str, inputs: Inputs) -> Created:
    name = physical_name(cloud, logical, inputs, "bucket")
    location = {"CreateBucketConfiguration": {"LocationConstraint": cloud.region}} if cloud.region != "us-east-1" else {}
    cloud.client("s3").create_bucket(Bucket=name, **location)
    domain = f"{name}.s3.{cloud.region}.amazonaws.com"
    return name, {"bucket": name, "arn": f"arn:aws:s3:::{name}", "bucketRegionalDomainName": domain, "bucketDomainName": domain}


@creates("aws:s3/bucketNotification:BucketNotification")
def _bucket_notification(cloud: Blueprint, _: str, inputs: Inputs) -> Created:
    def configuration(queue: Inputs) -> dict[str, Any]:
        names = (("prefix", "filterPrefix"), ("suffix", "filterSuffix"))
        rules = [{"Name": name, "Value": queue[key]} for name, key in names if queue.get(key)]
        return {"QueueArn": queue["queueArn"], "Events": queue["events"], "Filter": {"Key": {"FilterRules": rules}}}

    queues = [configuration(queue) for queue in inputs.get("queues") or []]
    cloud.client("s3").put_bucket_notification_configuration(
        Bucket=inputs["bucket"], NotificationConfiguration={"QueueConfigurations": queues}
    )
    return str(inputs["bucket"]), {}


@creates("aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock")
@creates("aws:s3/bucketPolicy:BucketPolicy")
@creates("aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration")
@creates("aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration")
def _bucket_setting(_: Blueprint, __: str, inputs: Inputs) -> Created:
    """A setting of a bucket that has no effect in the local cloud; moto does not get it."""
    return str(inputs["bucket"]), {}


@creates("aws:s3/bucketCorsConfiguration:BucketCorsConfiguration")
def _bucket_cors(cloud: Blueprint, _: str, inputs: Inputs) -> Created:
    rules = [pascal({key: value for key, value in rule.items() if key != "id" and value}) for rule in inputs["corsRules"]]
    cloud.client("s3").put_bucket_cors(Bucket=inputs["bucket"], CORSConfiguration={"CORSRules": rules})
    return str(inputs["bucket"]), {}
