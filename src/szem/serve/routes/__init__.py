"""szem's own routes: paths, parameters and their OpenAPI description."""
