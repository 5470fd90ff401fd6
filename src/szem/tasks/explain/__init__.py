"""What happens inside a network: layers, activations, attribution, receptive fields."""
