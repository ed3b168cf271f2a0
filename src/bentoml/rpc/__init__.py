"""The wire format of Yatai: protobuf messages as plain dictionaries, status codes, channels."""
