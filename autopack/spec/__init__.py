"""What was written: files as values with places, their shapes, their references."""
