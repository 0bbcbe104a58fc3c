"""What a job does: steps, their order, and the executor that walks them."""
