"""A small interpreter for the part of Windows PowerShell 5.1 that management scripts use.

It runs scripts for real: text is parsed into a tree, the tree is evaluated, cmdlets bind their parameters. Whatever it
does not know stops the script loudly (`Unsupported`), because a simulator that guesses hides the caller's mistakes.
"""
