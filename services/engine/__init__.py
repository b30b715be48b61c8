"""The one way to call an operation, for both faces: the Gateway, and what it does around an operation's function."""
