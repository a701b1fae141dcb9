"""Tools for people: the command line and the console use them. No function's archive contains them."""
