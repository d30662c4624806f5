"""Questions asked of rows in hand, in one pass over them; needs no store. Pure but for what a module says of itself."""
