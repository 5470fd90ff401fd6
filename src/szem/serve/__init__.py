"""The server: Cloud Vision v1 answered on this machine, szem's own routes, and the studio's files."""
