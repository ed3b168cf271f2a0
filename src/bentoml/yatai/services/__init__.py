"""What the registry can do, on plain data: no protocol, no page, no protobuf."""
