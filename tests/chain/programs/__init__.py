"""Programs that the tests beside them run as processes."""
