"""Sellers: who sends the bill for a model, under which names they are known, and of what kind."""

import re
from enum import StrEnum
from typing import NamedTuple

SPELLING_MAX = 100  # characters of a seller's name as given

_SEPARATORS = str.maketrans("_.: ", "----")


class Kind(StrEnum):
    """Whose models a seller sells; in the order in which a bare name is looked up."""

    FIRST_PARTY = "first_party"  # its own
    CLOUD = "cloud"  # others' too, under prices of its own, by region
    RESELLER = "reseller"


class Seller(NamedTuple):
    """One seller. Synonyms are spelt with dashes: `_`, `.`, `:` and blanks count as dashes."""

    id: str
    kind: Kind
    synonyms: tuple[str, ...] = ()
    makes: str = ""  # how the bare names of its own models begin: an expression
    slashes: bool = False  # a slash belongs to its names: `maker/model`
    signs: tuple[str, ...] = ()  # synonyms by which resellers call it as the maker of a model


def _first(id: str, synonyms: str = "", makes: str = "", signs: str = "") -> Seller:
    signed = tuple(signs.split())
    return Seller(id, Kind.FIRST_PARTY, (*synonyms.split(), *signed), makes, signs=signed)


def _cloud(id: str, synonyms: str = "") -> Seller:
    return Seller(id, Kind.CLOUD, tuple(synonyms.split()))


def _reseller(id: str, synonyms: str = "") -> Seller:
    return Seller(id, Kind.RESELLER, tuple(synonyms.split()), slashes=True)


_LITELLM_GROUPS = (
    "ai21 anthropic chat code-chat code-text deepseek embedding image language llama minimax"
    " mistral moonshot openai qwen text video vision zai"
)
_VERTEX_OF_LITELLM = " ".join(f"vertex-ai-{group}-models" for group in _LITELLM_GROUPS.split())

SELLERS: tuple[Seller, ...] = (
    _first(
        "openai",
        "open-ai openai-chat openai-responses openai-completion openai-completions"
        " openai-embedding text-completion-openai",
        r"gpt-|chatgpt-|o[1-9](-|$)|ft:(gpt|o[1-9]|davinci|babbage)|text-embedding-(3|ada)"
        r"|text-(davinci|curie|babbage|ada)|davinci|babbage|whisper-1|tts-1|dall-e|sora|codex-"
        r"|computer-use|omni-moderation|text-moderation",
    ),
    _first("anthropic", "anthropic-messages claude", r"claude"),
    _first(
        "google",
        "gemini google-gla google-genai google-generative-ai google-generativeai google-ai"
        " google-ai-studio googleai google-gemini gcp-gemini gcp-gen-ai palm",
        r"gemini-|gemma-|imagen-|veo-|learnlm|text-embedding-00|models/|tunedmodels/",
    ),
    _first(
        "mistral",
        "mistral-ai mistral-chat codestral text-completion-codestral",
        r"(open-)?(mistral|mixtral|ministral|codestral|magistral|devstral|pixtral|voxtral)"
        r"|open-codestral|labs-devstral|ft:(open-)?mi",
        "mistralai",
    ),
    _first(
        "cohere",
        "cohere-chat cohere-ai cohere-v2",
        r"command(-|$)|c4ai-|embed-(v\d|english|multi)|rerank-",
    ),
    _first("deepseek", "deepseek-api", r"deepseek-", "deepseek-ai"),
    _first("xai", "xai-chat xai-responses grok", r"grok-", "x-ai"),
    _first("moonshot", "moonshot-ai moonshotai-cn kimi", r"kimi-|moonshot-", "moonshotai"),
    _first(
        "perplexity",
        "perplexity-ai pplx",
        r"sonar(-|$)|pplx-|r1-1776|llama-3\.1-sonar",
    ),
    _first(
        "alibaba",
        "dashscope aliyun alibaba-cloud alibabacloud alibaba-cn qwen-ai tongyi bailian",
        r"qwen|qwq-|qvq-|text-embedding-v\d",
    ),
    _first("zai", "zhipu zhipuai zhipu-ai bigmodel", r"glm-|cogview", "z-ai zai-org"),
    _first("minimax", "minimax-ai minimax-cn", r"minimax-|abab", "minimaxai"),
    _first("ai21", "ai21-chat ai21labs", r"jamba|j2-"),
    _first("voyage", "voyageai voyage-ai", r"voyage-|rerank-2"),
    _first("jina", "jina-ai jinaai", r"jina-"),
    _first("xiaomi", "xiaomi-mimo", r"mimo-"),
    _first("inception", "inceptionlabs inception-labs", r"mercury"),
    _first("morph", "morph-llm", r"morph-"),
    _first("upstage", "", r"solar-"),
    _first("reka", "reka-ai rekaai", r"reka-"),
    _first("writer", "", r"palmyra-"),
    _first("stepfun", "step-fun", r"step-\d"),
    _cloud(
        "bedrock",
        "aws aws-bedrock amazon amazon-bedrock bedrock-converse bedrock-invoke amazon-web-services"
        " bedrock-mantle bedrock-anthropic anthropic-bedrock",
    ),
    _cloud(
        "azure",
        "azure-openai azureopenai azure-open-ai microsoft-azure az-ai-openai azure-ai-openai"
        " azure-text azure-chat azure-openai-chat azure-openai-responses azure-cognitive-services",
    ),
    _cloud("azure_ai", "azure-foundry azure-ai-foundry az-ai-inference azure-ai-inference"),
    _cloud(
        "vertex",
        "vertexai vertex-ai vertex-ai-beta google-vertex google-vertexai google-vertex-ai"
        " google-vertex-anthropic gcp-vertex-ai gcp-vertexai vertex-anthropic anthropic-vertex"
        f" {_VERTEX_OF_LITELLM}",
    ),
    _cloud("watsonx", "ibm ibm-watsonx ibm-watsonx-ai watsonx-text"),
    _cloud("databricks", "databricks-model-serving"),
    _cloud("oci", "oracle oracle-cloud"),
    _cloud("snowflake", "snowflake-cortex"),
    _cloud("sagemaker", "sagemaker-chat aws-sagemaker amazon-sagemaker"),
    _reseller("groq", "groq-cloud groqcloud"),
    _reseller("together", "together-ai togetherai together-computer"),
    _reseller("fireworks", "fireworks-ai fireworksai"),
    _reseller("openrouter", "open-router openrouter-ai"),
    _reseller("cerebras", "cerebras-ai"),
    _reseller("deepinfra", "deep-infra"),
    _reseller("sambanova", "samba-nova"),
    _reseller("novita", "novita-ai"),
    _reseller("nebius", "nebius-ai nebius-ai-studio"),
    _reseller("hyperbolic", "hyperbolic-ai"),
    _reseller("replicate", ""),
    _reseller("huggingface", "hugging-face hf"),
    _reseller("baseten", ""),
    _reseller("friendliai", "friendli"),
    _reseller("vercel", "vercel-ai-gateway ai-gateway vercel-ai"),
    _reseller("lambda", "lambda-ai lambdalabs"),
    _reseller("nscale", ""),
    _reseller("ovhcloud", "ovh"),
    _reseller("wandb", "weights-and-biases"),
    _reseller("github", "github-models"),
    _reseller("github_copilot", "copilot"),
    _reseller("cloudflare", "workers-ai cloudflare-workers-ai"),
    _reseller("siliconflow", "silicon-flow"),
    _reseller("nvidia", "nvidia-nim"),
    _reseller("featherless", "featherless-ai"),
    _reseller("chutes", ""),
    _reseller("venice", ""),
    _reseller("parasail", ""),
    _reseller("requesty", ""),
    _reseller("gradient_ai", "digitalocean"),
)


def dashed(spelling: str) -> str:
    """A seller's name as given, in the form in which names of sellers are compared."""
    return spelling.strip().lower().translate(_SEPARATORS)


SELLER_OF_ID = {seller.id: seller for seller in SELLERS}
# Where a name is of a deployment, and a response names only the model behind it.
DEPLOYED = frozenset({"azure", "azure_ai"})
CLOUDS = tuple(seller.id for seller in SELLERS if seller.kind is Kind.CLOUD)

_ID_OF_SPELLING = {
    dashed(spelling): seller.id for seller in SELLERS for spelling in (seller.id, *seller.synonyms)
}
_SIGNS = {sign for seller in SELLERS for sign in seller.signs}
_MAKERS = tuple(
    (seller.id, re.compile(f"(?:{seller.makes})", re.IGNORECASE))
    for seller in SELLERS
    if seller.makes
)


def seller_id(spelling: str) -> str:
    """The id under which a seller's models are filed; one that is not in the table is its own."""
    plain = dashed(spelling)
    return _ID_OF_SPELLING.get(plain, plain)


def filed_under(spelling: str) -> str:
    """The provider of a card: a seller of the table by its id, any other as it is spelt."""
    known = seller_id(spelling)
    return known if known in SELLER_OF_ID else spelling


def is_sign(spelling: str) -> bool:
    """Whether this may be the maker in a reseller's name as well as the seller itself."""
    return dashed(spelling) in _SIGNS


def kind_of(seller: str) -> Kind:
    """Of which kind a seller is; one that an operator added sells on its own account."""
    known = SELLER_OF_ID.get(seller)
    return known.kind if known else Kind.RESELLER


def maker_of(name: str) -> str | None:
    """The seller whose own models have bare names like this one. It says nothing of the model."""
    return next((seller for seller, own in _MAKERS if own.match(name)), None)
