"""What exists in the cloud, and the local cloud that runs the same program on a laptop."""
