"""A catalogue of models: prices, windows, providers, routes."""

from collections.abc import Iterator

from autopack.spec.at import Steps
from autopack.spec.nearest import did_you_mean
from autopack.spec.rules.exceptions import a_day
from autopack.spec.rules.references import category_at, known_categories
from autopack.spec.rules.written import Found, Names, Row, Written, some


def _routes(written: Written) -> Iterator[tuple[Steps, Row]]:
    yield from written.items("routing", "complexity")
    yield from written.items("routing", "categories")
    if route := written.get("routing", "high_risk"):
        yield ("routing", "high_risk"), route


def prices(written: Written, _names: Names) -> Found:
    for steps, model in written.items("models"):
        if "price" not in model:
            advice = 'add `price: {input: "0.15", output: "0.60", as_of: 2024-07-18}`, or `unmetered` and a token_cap'
            yield written.at_key(steps, "AP3017", f'the model "{steps[-1]}" has no price', advice)
        elif model["price"] == "unmetered" and "token_cap" not in model:
            message = f'the model "{steps[-1]}" is unmetered and has no cap'
            yield written.at((*steps, "price"), "AP3017", message, "add `token_cap: 2_000_000`")
        elif isinstance(model["price"], dict) and (day := model["price"].get("as_of")) and not a_day(day):
            message = f"{day} is no day of the calendar"
            yield written.at((*steps, "price", "as_of"), "AP2006", message, "write it like 2027-01-31")


def addresses(written: Written, _names: Names) -> Found:
    for steps, model in written.items("models"):
        base = model.get("api_base")
        if base is not None and not base.startswith(("http://", "https://")):
            advice = (
                f"write `http://{base}`" if "://" not in base else "write an address that starts with http or https"
            )
            yield written.at((*steps, "api_base"), "AP2006", f'"{base}" is no address of a server', advice)


def windows(written: Written, _names: Names) -> Found:
    for steps, model in written.items("models"):
        window, longest = model.get("context_tokens"), model.get("max_output_tokens")
        if window is not None and longest is not None and longest >= window:
            label = written.label((*steps, "context_tokens"), "the window")
            message = f"an answer of {longest:,} tokens leaves no room for the question"
            yield written.at((*steps, "max_output_tokens"), "AP3027", message, f"less than {window:,}", label)


def providers(written: Written, _names: Names) -> Found:
    ids = [model.get("litellm") for _, model in written.items("models")]
    known = sorted({provider(name) for name in ids if name is not None})
    for steps, _ in written.items("providers"):
        name = str(steps[-1])
        if name not in known and None not in ids and written.get("models") is not None and not written.twice("models"):
            message = f'no model of this catalogue belongs to "{name}"'
            yield written.at_key(steps, "AP3026", message, did_you_mean(name, known) or f"providers: {some(known)}")


def provider(litellm: str) -> str:
    """Whose quota a model uses: what stands before the first slash; LiteLLM takes a bare name for OpenAI's."""
    head, slash, _ = litellm.partition("/")
    return head if slash else "openai"


def references_of_models(written: Written, names: Names) -> Found:
    catalogue = written.get("models")
    for steps, _ in _routes(written):
        for place, name in (*written.items(*steps, "builder"), *written.items(*steps, "auditor")):
            if catalogue is not None and name not in catalogue and not written.twice("models"):
                advice = did_you_mean(name, catalogue) or f"models: {some(catalogue)}"
                yield written.at(place, "AP3006", f'no model "{name}" in this catalogue', advice)
    categories = names.categories()
    for steps, _ in written.items("routing", "categories"):
        name = str(steps[-1])
        if categories is not None and name not in categories:
            message = f'no category "{name}" in the ruleset'
            yield written.at_key(steps, "AP5001", message, known_categories(name, categories))
    for steps, _ in written.items("routing", "never_downgrade"):
        yield from category_at(written, steps, categories)
