"""Foreign protocols at the edge: each module translates one, and the domain knows none of them."""
