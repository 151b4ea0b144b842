"""What will be done: the frozen, priced, hashed plan and the compiler that makes it.

This room knows policy and prices. It does not know whether anything has been run, and it touches neither
files nor clocks: everything it needs is handed in.
"""
