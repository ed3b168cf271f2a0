"""Direct transfers, the server's side: a bundle's bytes over the web port, without gRPC or asyncio."""
