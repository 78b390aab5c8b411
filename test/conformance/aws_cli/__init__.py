"""The AWS command line, made not to wait."""
