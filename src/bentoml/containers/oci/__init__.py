"""Standard images written without any engine: a base image's layers, the packages, the bundle."""
