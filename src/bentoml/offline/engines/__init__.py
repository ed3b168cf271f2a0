"""Where an offline run happens: one module per engine, all with the interface of `base`."""
