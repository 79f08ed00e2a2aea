"""The commands of the command line: one function a command, a file for those of one kind."""
