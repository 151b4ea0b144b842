"""What holds for every test: a slow machine proves nothing, so no example has to be drawn or run in a given time."""

from hypothesis import HealthCheck, settings

settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patient")
