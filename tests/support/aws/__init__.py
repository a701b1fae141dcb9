"""AWS for tests: moto in this process or behind a server, clients that fail, and a function's environment and events."""
