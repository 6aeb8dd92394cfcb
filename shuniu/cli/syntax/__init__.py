"""The words, options and help of each group of commands. A command's own module is imported when the command runs."""
