"""The page in a browser: what people without a terminal colorize with. All under it is the library."""
