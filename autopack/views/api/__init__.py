"""The REST interface: routes that translate between the wire and the views, and hold no logic of their own.

The only place that knows FastAPI, Starlette, uvicorn and pydantic; the extra `server` brings them.
"""
