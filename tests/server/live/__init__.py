"""What black-box tests of the server share: the probe service, server processes, raw sockets."""
