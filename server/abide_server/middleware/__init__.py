"""What happens around every request, outermost first: answers to errors, security headers."""
