"""What people see: command line, files and (later) REST, all from one fold of the same events.

A view computes nothing that another view could compute differently: numbers come from `projection`.
"""
