"""Programs that these tests run as processes."""
