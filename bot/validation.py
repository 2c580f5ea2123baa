"""What pydantic finds wrong with app.yaml, one line a problem, in the language in force."""

from collections.abc import Mapping

from pydantic import ValidationError

from bot.model.wording import marked, tr

# As pydantic words them; of what it words otherwise, or not at all here, its English is shown.
SAID: Mapping[str, str] = {
    "string_type": marked("Input should be a valid string"),
    "string_too_short": marked("String should have at least {min_length} characters"),
    "string_too_long": marked("String should have at most {max_length} characters"),
    "string_pattern_mismatch": marked("String should match pattern '{pattern}'"),
    "int_type": marked("Input should be a valid integer"),
    "int_parsing": marked("Input should be a valid integer, unable to parse string as an integer"),
    "float_type": marked("Input should be a valid number"),
    "float_parsing": marked("Input should be a valid number, unable to parse string as a number"),
    "bool_type": marked("Input should be a valid boolean"),
    "bool_parsing": marked("Input should be a valid boolean, unable to interpret input"),
    "greater_than": marked("Input should be greater than {gt}"),
    "greater_than_equal": marked("Input should be greater than or equal to {ge}"),
    "less_than": marked("Input should be less than {lt}"),
    "less_than_equal": marked("Input should be less than or equal to {le}"),
    "literal_error": marked("Input should be {expected}"),
    "dict_type": marked("Input should be a valid dictionary"),
    "tuple_type": marked("Input should be a valid tuple"),
    "model_type": marked("Input should be a valid dictionary or instance of {class_name}"),
    "ip_v4_address": marked("Input is not a valid IPv4 address"),
    "ip_v4_network": marked("Input is not a valid IPv4 network"),
}


def described(error: ValidationError, missing: Mapping[str, str]) -> list[str]:
    """One line a problem, with its path. What is already known to be missing is not reported twice."""
    lines = []
    for problem in error.errors(include_url=False, include_input=False):
        where = ".".join(str(part) for part in problem["loc"])
        if where not in missing:
            text = _said(problem["type"], problem["msg"], problem.get("ctx", {}))
            lines += text.splitlines() if not where else [f"{where}: {text}"]
    return lines


def _said(kind: str, english: str, values: Mapping[str, object]) -> str:
    if kind == "extra_forbidden":
        return tr("there is no such setting; check the spelling")
    if kind == "missing":
        return tr("is missing")
    template = SAID.get(kind)
    if template is None or template.format(**values) != english:
        return english.removeprefix("Value error, ")
    if kind == "literal_error":  # the choices come as one text
        values = {"expected": str(values["expected"]).replace(" or ", tr(" or "))}
    return tr(template, **values)
