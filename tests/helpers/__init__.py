"""What the product's own tests share."""
