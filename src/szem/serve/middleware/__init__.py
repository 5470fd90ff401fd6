"""What every request passes: authentication, limits, observation, slow clients."""
