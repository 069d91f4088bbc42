"""Catalog of backbones, fitted weights, and the generator of tiny test models."""
