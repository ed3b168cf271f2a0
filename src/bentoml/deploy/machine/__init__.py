"""What operators that run services on this machine share: directories, logs, ports, helper processes."""
