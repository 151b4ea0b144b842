"""How people are greeted."""


def greet(name: str) -> str:
    """A greeting for one person; white space around the name doesn't matter."""
    name = name.strip()
    if not name:
        raise ValueError("there is nobody to greet")
    return f"Hello, {name}!"
