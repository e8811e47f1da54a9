"""Python functions that hold the interpreter for long run in processes of their own."""
