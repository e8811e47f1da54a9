"""What a browser shows: the page of the API, and the console."""
