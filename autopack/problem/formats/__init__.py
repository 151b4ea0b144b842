"""Findings in the forms that other people's services read: one file a form, loaded when it is asked for."""
