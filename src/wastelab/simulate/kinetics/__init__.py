"""Kinetics of heating: reaction models, programs in closed form or coupled, and what becomes of a mix."""

from .models import STANDARD, ReactionModel, reaction_model

__all__ = ["STANDARD", "ReactionModel", "reaction_model"]
