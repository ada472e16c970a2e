"""Programs that measure what we say about speed. Nothing of the product imports them."""
