"""The command ``sb-resizegan``: one module a subcommand. What they call knows nothing of command lines."""
