"""Parameter binding: how the words after a command's name reach its parameters.

Order as in the real engine: named, then positional, then pipeline properties, then parameter sets, then mandatory ones.
A switch never takes the following word, which is the trap of `-UseRecursion $true`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from .conversion import convert, parameter_boolean, to_text, truth
from .errors import ErrorRecord, ScriptError
from .members import MISSING, find_property
from .values import items_of, plain

_BINDING = "System.Management.Automation.ParameterBindingException"


@dataclass(frozen=True)
class Parameter:
    """`position` counts from 0; `sets` empty means every set; `allowed` is ValidateSet; `limits` is ValidateRange."""

    name: str
    type: str = "object"
    mandatory: bool = False
    position: int | None = None
    aliases: tuple[str, ...] = ()
    sets: frozenset[str] = frozenset()
    allowed: tuple[str, ...] = ()
    limits: tuple[int, int] | None = None
    from_property: bool = False
    from_value: bool = False
    nonempty: bool = True

    @property
    def switch(self) -> bool:
        return self.type == "switch"


@dataclass(frozen=True)
class Word:
    """One word of a call: `-Name`, `-Name:value`, or a value alone."""

    name: str | None = None
    value: Any = MISSING


@dataclass(frozen=True)
class Signature:
    """What a command accepts. `sets` is empty when the command has a single set."""

    command: str
    parameters: tuple[Parameter, ...]
    sets: tuple[str, ...] = ()
    default_set: str | None = None

    def within(self, candidates: frozenset[str], parameter: Parameter) -> bool:
        return not parameter.sets or not candidates or bool(parameter.sets & candidates)


_ACTIONS = ("SilentlyContinue", "Stop", "Continue", "Inquire", "Ignore", "Suspend")
COMMON: tuple[Parameter, ...] = (
    Parameter("ErrorAction", "string", aliases=("ea",), allowed=_ACTIONS),
    Parameter("WarningAction", "string", aliases=("wa",), allowed=_ACTIONS),
    Parameter("InformationAction", "string", aliases=("infa",), allowed=_ACTIONS),
    Parameter("ErrorVariable", "string", aliases=("ev",)),
    Parameter("OutVariable", "string", aliases=("ov",)),
    Parameter("Verbose", "switch", aliases=("vb",)),
    Parameter("Debug", "switch", aliases=("db",)),
)
SHOULD_PROCESS: tuple[Parameter, ...] = (
    Parameter("WhatIf", "switch", aliases=("wi",)),
    Parameter("Confirm", "switch", aliases=("cf",)),
)


@dataclass
class Bound:
    """The result: converted values by parameter name, and mandatory parameters that nobody supplied."""

    values: dict[str, Any] = field(default_factory=dict)
    missing: list[Parameter] = field(default_factory=list)
    set_name: str | None = None


def binding_error(command: str, error_id: str, message: str, category: str = "InvalidArgument") -> ScriptError:
    record = ErrorRecord(message, f"{error_id},{command}", category, exception=_BINDING, activity=command)
    return ScriptError(record)


def bind(signature: Signature, words: Sequence[Word], piped: Any = MISSING) -> Bound:
    """Bind one call, or one pipeline object of it. Raises the engine's ParameterBindingException as ScriptError."""
    bound = Bound()
    positional: list[Any] = []
    pending = list(words)
    while pending:
        word = pending.pop(0)
        if word.name is None:
            positional.append(word.value)
            continue
        parameter = find(signature, word.name)
        if parameter.name in bound.values:
            message = f"Cannot bind parameter because parameter '{parameter.name}' is specified more than once."
            raise binding_error(signature.command, "ParameterAlreadyBound", message)
        value = word.value
        if value is MISSING and parameter.switch:
            value = True
        elif value is MISSING:
            if not pending or pending[0].name is not None:
                message = (
                    f"Missing an argument for parameter '{parameter.name}'. "
                    f"Specify a parameter of type '{parameter.type}' and try again."
                )
                raise binding_error(signature.command, "MissingArgument", message)
            value = pending.pop(0).value
        bound.values[parameter.name] = coerce(signature.command, parameter, value)
    _bind_positional(signature, bound, positional)
    _bind_piped(signature, bound, piped)
    _choose_set(signature, bound)
    return bound


def find(signature: Signature, name: str) -> Parameter:
    """By name or alias, else by a prefix that only one parameter has."""
    lowered = name.lower()
    for parameter in signature.parameters:
        if lowered in (parameter.name.lower(), *(alias.lower() for alias in parameter.aliases)):
            return parameter
    matches = [
        parameter
        for parameter in signature.parameters
        if any(label.lower().startswith(lowered) for label in (parameter.name, *parameter.aliases))
    ]
    if len(matches) == 1:
        return matches[0]
    if matches:
        options = " ".join(f"-{parameter.name}" for parameter in matches)
        message = (
            f"Parameter cannot be processed because the parameter name '{name}' is ambiguous. "
            f"Possible matches include: {options}."
        )
        raise binding_error(signature.command, "AmbiguousParameter", message)
    message = f"A parameter cannot be found that matches parameter name '{name}'."
    raise binding_error(signature.command, "NamedParameterNotFound", message)


def _candidates(signature: Signature, bound: Bound) -> frozenset[str]:
    candidates = frozenset(signature.sets)
    for parameter in signature.parameters:
        if parameter.name in bound.values and parameter.sets:
            candidates &= parameter.sets
            if not candidates:
                raise ambiguous(signature.command)
    return candidates


def ambiguous(command: str) -> ScriptError:
    message = "Parameter set cannot be resolved using the specified named parameters."
    return binding_error(command, "AmbiguousParameterSet", message)


def _bind_positional(signature: Signature, bound: Bound, positional: list[Any]) -> None:
    for value in positional:
        candidates = _candidates(signature, bound)
        free = [
            parameter
            for parameter in signature.parameters
            if parameter.position is not None
            and parameter.name not in bound.values
            and signature.within(candidates, parameter)
        ]
        if not free:
            message = f"A positional parameter cannot be found that accepts argument '{to_text(value)}'."
            raise binding_error(signature.command, "PositionalParameterNotFound", message)
        parameter = min(free, key=lambda each: each.position or 0)
        bound.values[parameter.name] = coerce(signature.command, parameter, value)


def _bind_piped(signature: Signature, bound: Bound, piped: Any) -> None:
    if piped is MISSING:
        return
    for parameter in signature.parameters:
        if parameter.name in bound.values:
            continue
        if parameter.from_value and not _has_properties(piped):
            bound.values[parameter.name] = coerce(signature.command, parameter, piped)
        elif parameter.from_property:
            for label in (parameter.name, *parameter.aliases):
                value = find_property(piped, label)
                if value is not MISSING:
                    bound.values[parameter.name] = coerce(signature.command, parameter, value)
                    break


def _has_properties(value: Any) -> bool:
    return hasattr(value, "properties")


def _choose_set(signature: Signature, bound: Bound) -> None:
    candidates = _candidates(signature, bound)
    missing = {
        name: [
            parameter
            for parameter in signature.parameters
            if parameter.mandatory
            and parameter.name not in bound.values
            and (not parameter.sets or name in parameter.sets)
        ]
        for name in (sorted(candidates) or [""])
    }
    complete = [name for name, absent in missing.items() if not absent]
    pool = complete or list(missing)
    if len(pool) > 1 and signature.default_set not in pool:
        raise ambiguous(signature.command)
    chosen = signature.default_set if signature.default_set in pool else pool[0]
    bound.set_name, bound.missing = chosen or None, missing[chosen or ""]


def coerce(command: str, parameter: Parameter, value: Any) -> Any:
    """Convert and validate one argument."""
    value = plain(value)
    try:
        converted = _convert(parameter, value)
    except ScriptError as error:
        message = f"Cannot process argument transformation on parameter '{parameter.name}'. {error.record.message}"
        raise binding_error(command, "ParameterArgumentTransformationError", message, "InvalidData") from None
    _validate(command, parameter, converted, value)
    return converted


def _convert(parameter: Parameter, value: Any) -> Any:
    if parameter.switch:
        return truth(value)
    if parameter.type == "bool":
        return parameter_boolean(value)
    if value is None and parameter.type == "string":
        return ""
    if parameter.type == "string" and isinstance(value, list):
        raise binding_error("", "", "Cannot convert value to type System.String.")
    return convert(value, parameter.type)


def _validate(command: str, parameter: Parameter, converted: Any, given: Any) -> None:
    empty = converted is None or (isinstance(converted, str | list) and len(converted) == 0)
    if empty and parameter.nonempty and (parameter.mandatory or parameter.allowed):
        kind = (
            "a null value" if given is None else "an empty string" if isinstance(converted, str) else "an empty array"
        )
        suffix = {"a null value": "Null", "an empty string": "EmptyString", "an empty array": "EmptyArray"}[kind]
        what = "it is null" if given is None else f"it is {kind}"
        message = f"Cannot bind argument to parameter '{parameter.name}' because {what}."
        raise binding_error(command, f"ParameterArgumentValidationError{suffix}NotAllowed", message, "InvalidData")
    if parameter.allowed:
        for item in items_of(converted):
            if to_text(item).lower() not in (each.lower() for each in parameter.allowed):
                message = (
                    f"Cannot validate argument on parameter '{parameter.name}'. The argument \"{to_text(item)}\" does "
                    f'not belong to the set "{",".join(parameter.allowed)}" specified by the ValidateSet attribute. '
                    "Supply an argument that is in the set and then try the command again."
                )
                raise binding_error(command, "ParameterArgumentValidationError", message, "InvalidData")
    if parameter.limits and not parameter.limits[0] <= converted <= parameter.limits[1]:
        message = (
            f"Cannot validate argument on parameter '{parameter.name}'. The {converted} argument is greater than the "
            "maximum allowed "
            f"range of {parameter.limits[1]}. Supply an argument that is less than or equal to {parameter.limits[1]} "
            "and then try "
            "the command again."
        )
        raise binding_error(command, "ParameterArgumentValidationError", message, "InvalidData")


def with_common(parameters: Sequence[Parameter], should_process: bool = False) -> tuple[Parameter, ...]:
    """The parameters plus those that every cmdlet has."""
    return (*parameters, *COMMON, *(SHOULD_PROCESS if should_process else ()))
