"""The chain of a select, cache to remote to mock, against a stand-in over real sockets."""
