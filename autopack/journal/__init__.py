"""What happened: append-only events, intents, the paid-call ledger and content-addressed blobs.

This room knows how to make a fact durable and how to tell that a record was damaged. It does not know what an
event means, when one is due, or who reads it. `errors` and `rows` are light; `store` brings SQLAlchemy, a quarter
of a second, so commands that open no store import no more than those two.
"""
