"""Stands in for the domain's judge until that is written: agreement of two and two thirds."""

from tekton_budget.domain.verify import Status, Verdict

BEST = ("litellm", "genai", "langfuse", "modelsdev", "portkey", "openrouter")
CLOUDS = {"bedrock", "azure", "vertex"}


def _near(a, b):
    if a is None or b is None:
        return a is b
    return abs(a - b) <= max(a, b) * 5 / 1000


def _bad(quote):
    i, o = quote.rates.get("input"), quote.rates.get("output")
    if i is None or i > 250 or (o or 0) > 700:
        return True
    if o is None:
        return False
    return o < i / 2


def judge(quotes):
    good = [q for q in quotes if not _bad(q)]
    paid = [q for q in good if q.rates["input"] or q.rates.get("output")]
    zeros = [q for q in good if q not in paid]
    if not paid:
        if zeros and (len(zeros) > 1 or "free" in zeros[0].model):
            paid = zeros
        else:
            return Verdict(Status.REJECTED)
    clusters = []
    for q in paid:
        for c in clusters:
            if _near(c[0].rates["input"], q.rates["input"]) and _near(
                c[0].rates.get("output"), q.rates.get("output")
            ):
                c.append(q)
                break
        else:
            clusters.append([q])
    clusters.sort(key=len, reverse=True)
    top = clusters[0]
    names = tuple(q.source for q in top)
    cloud = quotes[0].provider in CLOUDS and not {"litellm", "genai"} & set(names)
    if len(paid) == 1:
        if names[0] == "portkey" or cloud and names[0] != "modelsdev":
            return Verdict(Status.QUARANTINED)
        status = Status.SINGLE_SOURCE
    elif len(top) < 2 or len(top) * 3 < len(paid) * 2 or cloud:
        return Verdict(Status.DISPUTED, groups=tuple(tuple(q.source for q in c) for c in clusters))
    else:
        status = Status.VERIFIED
    rates = {}
    for q in sorted(top, key=lambda q: BEST.index(q.source)):
        for d, v in q.rates.items():
            i = q.rates.get("input", 0)
            if d == "cache_read" and v > i:
                continue
            if d == "cache_write_1h" and q.provider == "anthropic" and v != 2 * i:
                continue
            if d == "cache_write_5m" and v < i:
                continue
            rates.setdefault(d, v)
    return Verdict(status, rates, groups=tuple(tuple(q.source for q in c) for c in clusters))
