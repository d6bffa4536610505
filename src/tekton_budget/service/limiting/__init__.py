"""Budgets and policies: what people say of them, and what each change does."""
