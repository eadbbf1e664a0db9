"""From a recipe to a model in production, and safely back: tracking, registry, gate, deployment, drift, workflows."""
