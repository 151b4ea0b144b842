"""The language server: what `validate`, `explain` and `plan` know, while somebody types.

server wires the protocol, workspace holds what editors have open; everything else is a function from documents and a
place to an answer. `outline` is the only file that reads YAML which is not valid yet.
"""
