"""The tables of a .tflite's schema agree with the classes that flatc generated from it."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from crossload.artifacts.tflite.schema import MODEL, UNIONS


def test_the_schema_has_no_gap_between_the_numbers_of_fields() -> None:
    """A field beyond the last one is how a newer schema is noticed."""
    waiting: list[Any] = [MODEL]
    while waiting:
        fields = waiting.pop()
        assert sorted(f.number for f in fields.values()) == list(range(len(fields)))
        waiting += [f.kind for f in fields.values() if not isinstance(f.kind, str)]


def test_the_counts_of_fields_of_options_match_the_generated_classes() -> None:
    from importlib import import_module

    class Count:
        """A builder that takes the number of fields."""

        def StartObject(self, number: int) -> None:
            self.number = number

    for side, union in (("options", "BuiltinOptions"), ("options_2", "BuiltinOptions2")):
        for name, number in vars(getattr(import_module(f"tflite.{union}"), union)).items():
            if name.startswith("_") or name == "NONE" or (side == "options_2" and number > UNIONS[side].kinds):
                continue
            import_module(f"tflite.{name}").Start(count := Count())
            assert count.number == UNIONS[side].fields.get(number, 0), name


def test_the_table_of_vector_options_matches_the_schema() -> None:
    """For every options table in the schema's generated classes: the vector and string fields, and the width of their elements."""
    from tflite.BuiltinOptions import BuiltinOptions
    from tflite.BuiltinOptions2 import BuiltinOptions2

    width = {"Int32Flags": 4, "Uint32Flags": 4, "Float32Flags": 4, "Int64Flags": 8, "BoolFlags": 1, "Uint8Flags": 1}
    for side, union in (("options", BuiltinOptions), ("options_2", BuiltinOptions2)):
        found: dict[int, dict[int, int]] = {}
        for name, number in vars(union).items():
            if name.startswith("_") or name == "NONE":
                continue
            options = getattr(import_module(f"tflite.{name}"), name)
            for method in (m for m in dir(options) if not m.startswith("_") and hasattr(getattr(options, m), "__code__")):
                code = getattr(options, method).__code__
                slots = [(c - 4) // 2 for c in code.co_consts if isinstance(c, int) and c >= 4]
                if method.endswith("Length"):
                    kinds = [width[n] for n in getattr(options, method.removesuffix("Length")).__code__.co_names if n in width]
                    found.setdefault(number, {})[slots[0]] = kinds[0]
                elif "String" in code.co_names:
                    found.setdefault(number, {})[slots[0]] = 1
                assert "Indirect" not in code.co_names
        known = UNIONS[side].vectors
        assert found.items() <= known.items()
        # Newer than the generated classes: StablehloCaseOptions.
        assert known.keys() - found.keys() <= ({23} if side == "options_2" else set())
