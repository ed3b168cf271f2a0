"""Virtual environments made from saved bundles: what goes in, who installs it, where it is kept."""
