"""Services in containers of this machine, through the command line of Docker or Podman."""
