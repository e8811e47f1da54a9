"""HTTP: requests in, JSON out. The rules are in `decisions`.

server.py         Uvicorn around the application
middleware/       around every request: limits, the log line, the timings, the sub-path
routes/           one file for each verb or resource
schemas/          what comes in and goes out, one file for each route
bodies.py         a body is JSON or a form
forms.py          the parts of a form
admission.py      how many images are in flight
errors/           what can be wrong with a request in HTTP: its fields, its media type, its size
problems.py       every error as application/problem+json
openapi/          what FastAPI cannot describe by itself
"""
