"""The Pulumi program that declares the resources in AWS, and the local cloud that runs it on a laptop."""
