"""The graph of a plan, drawn: what there is to draw (`content`), where (`layout`), and in which form."""
