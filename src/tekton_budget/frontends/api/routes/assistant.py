"""The assistant: analyses and advice in words, made of the ledger's sums and the price book."""

from tekton_budget.domain.errors import invalid
from tekton_budget.frontends.api.asking import Asker, Verbs
from tekton_budget.frontends.api.bodies.assisting import (
    AdviceOut,
    AnalysisOut,
    DaysBody,
    MessageBody,
    ModelQuestionBody,
    ReplyOut,
    to_api_models,
    to_api_swap,
    to_api_usage,
)
from tekton_budget.frontends.api.body import exact_router
from tekton_budget.frontends.http.wire import Reply

router = exact_router("/assistant")


@router.post("/analyze", response_model=AnalysisOut)
def analyze(asker: Asker, verbs: Verbs, body: DaysBody | None = None) -> Reply:
    """What the last days were like: sums, shares, trend, days that stand out, and limits.

    Made of the ledger's own numbers; no language model is asked.
    """
    asked = body or DaysBody()
    text, found = verbs.advising.analyze(asker, asked.period, asked.days)
    raw = to_api_usage(found) if asked.include_raw_data else None
    return Reply({"success": True, "analysis": text, "error": None, "raw_data": raw})


@router.post("/optimize", response_model=AdviceOut)
def optimize(asker: Asker, verbs: Verbs, body: DaysBody | None = None) -> Reply:
    """What would have cost less: each costly model's average call by the price book, elsewhere.

    Each recommendation is computed for the calls that were really made. No language model is asked.
    """
    asked = body or DaysBody()
    text, found = verbs.advising.optimize(asker, asked.period, asked.days)
    raw = None
    if asked.include_raw_data:
        raw = {"usage": to_api_usage(found), "pricing": [to_api_swap(one) for one in found.swaps]}
    return Reply({"success": True, "recommendations": text, "error": None, "raw_data": raw})


@router.post("/recommend-model", response_model=AdviceOut)
def recommend_model(body: ModelQuestionBody, verbs: Verbs) -> Reply:
    """Which model does so many calls a day for so much money: the best one and one or two others.

    `success` is false where none does. By exact prices; no language model is asked.
    """
    if body.budget_limit <= 0:
        raise invalid("budget_limit", "send USD a day, above 0")
    text, choice = verbs.advising.recommend_model(body.question())
    fits = bool(choice.fits)
    return Reply(
        {
            "success": fits,
            "recommendations": text if fits else None,
            "error": None if fits else text,
            "raw_data": {"models": to_api_models(choice)} if body.include_raw_data else None,
        }
    )


@router.post("", response_model=ReplyOut)
def answer(body: MessageBody, asker: Asker, verbs: Verbs) -> Reply:
    """The answer to a question about spending, limits, prices or savings; else what can be asked.

    It looks for words in the question, and keeps no conversation. No language model is asked.
    """
    return Reply(
        {
            "success": True,
            "response": verbs.advising.answer(asker, body.message),
            "context": body.context,
            "conversation_id": body.conversation_id,
        }
    )
