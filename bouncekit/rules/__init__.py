"""Rule tables and what they decide: reply + context -> verdict."""

from bouncekit.rules.ruleset import RuleSet
from bouncekit.rules.table import RuleError

__all__ = ["RuleError", "RuleSet"]
