"""Programs that use the package as its users do: run as processes by the tests beside them."""
