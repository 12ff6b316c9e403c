"""What is made of the queries that ship."""
