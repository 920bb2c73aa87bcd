"""Drop-ins for services that kept their own count of tokens."""
