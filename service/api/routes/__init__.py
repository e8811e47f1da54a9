"""The routes, one file for each verb or resource.

A route reads the request, calls the decision, and forms the response.
"""
