"""The hands: each runner turns one effect into one event and touches one part of the world.

They know how a thing is done (git, CI, a model call, an edit) and nothing of what comes next.
"""
