"""The pages: one module per page of the navigation, with a blueprint ``pages``. A view reads by lib/operations and renders."""
