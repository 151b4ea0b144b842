"""What is next: a pure fold over events. No clock, files, threads or randomness in this room."""
