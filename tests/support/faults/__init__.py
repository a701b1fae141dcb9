"""The fault suite: a proxy that breaks calls, the world behind the functions, the flows, and the loop that breaks each."""
