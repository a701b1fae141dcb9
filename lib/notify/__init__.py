"""What people are told, and the channels that tell them."""
