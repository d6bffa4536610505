"""What is sent and what is answered: JSON of the API to requests of the service, and back."""
