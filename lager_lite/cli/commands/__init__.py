"""One module per command, each of which calls one function of a room above and prints what it returns."""
