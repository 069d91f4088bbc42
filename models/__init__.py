"""The catalog of backbones and the fitted weights that ship."""
