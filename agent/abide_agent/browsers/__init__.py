"""Sessions with browser extensions: the socket, the frames, the messages, and what is said to whom."""
