"""Roles and their policies."""

from stack.local.resources.registry import Blueprint, Created, Inputs, creates, physical_name


@creates("aws:iam/role:Role")
def _role(cloud: Blueprint, logical: str, inputs: Inputs) -> Created:
    name = physical_name(cloud, logical, inputs)
    boundary = {"PermissionsBoundary": inputs["permissionsBoundary"]} if inputs.get("permissionsBoundary") else {}
    created = cloud.client("iam").create_role(RoleName=name, AssumeRolePolicyDocument=inputs["assumeRolePolicy"], **boundary)
    arn = created["Role"]["Arn"]
    return name, {"name": name, "arn": arn}


@creates("aws:iam/rolePolicy:RolePolicy")
def _role_policy(cloud: Blueprint, logical: str, inputs: Inputs) -> Created:
    name = physical_name(cloud, logical, inputs)
    cloud.client("iam").put_role_policy(RoleName=inputs["role"], PolicyName=name, PolicyDocument=inputs["policy"])
    return f"{inputs['role']}:{name}", {"name": name}
