"""What the doors that speak HTTP share: who asks, how a body is taken in, what a refusal is."""
