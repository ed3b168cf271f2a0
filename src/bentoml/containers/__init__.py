"""Images from bundles: the build context, the engines that build, and one builder without an engine."""
