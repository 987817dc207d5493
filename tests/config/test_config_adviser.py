"""The model's section: its address, its key kept apart from the exchange's, and what cannot be meant together."""

from dataclasses import fields
from decimal import Decimal
from pathlib import Path

import pytest
from config_files import LIVE_ENV, MONEY, load, only, problems_of

from config.adviser import STRATEGY_NAMES, AdviserSection
from config.hosts import why_not_model_url, why_not_news_source
from config.settings import effective
from executor.advice.capabilities import Capability, SystemRole, TokensKey
from executor.app.advising import terms_of
from executor.domain.advice_facts import Tolerance
from executor.domain.advice_terms import AdviserTerms, Band, BreakerRules, Prices, Triggers
from strategies.base import SWITCHABLE

KEY = "sk-proj-kEyKeYkEyKeY.kEyKeY+0123"
ENV = "EXECUTOR_ADVISER_API_KEY"
WHOLE = """
[adviser]
enabled = true
base_url = "https://llm.example.com/v1/"
model = "gpt-4o-mini"
input_price = 0.15
output_price = 0.6
"""


def with_lines(*lines: str) -> str:
    return WHOLE + "\n".join(lines) + "\n"


def test_every_schedule_that_may_be_switched_to_can_be_named():
    assert SWITCHABLE == STRATEGY_NAMES


def test_nothing_is_asked_unless_somebody_says_so(tmp_path: Path):
    settings = load(tmp_path, environ={ENV: KEY})
    assert settings.adviser.enabled is False
    assert settings.adviser_key is None, "a key that nobody needs is not read"


def test_a_model_with_all_it_needs(tmp_path: Path):
    settings = load(tmp_path, WHOLE, {ENV: KEY})
    assert settings.adviser.base_url == "https://llm.example.com/v1"
    assert settings.adviser.output_price == Decimal("0.6")
    assert settings.adviser_key is not None
    assert settings.adviser_key.key.reveal() == KEY
    rows = {row.key: (row.value, row.origin) for row in effective(settings)}
    assert rows["credentials.adviser_key"] == ("********", "environment")
    assert KEY not in repr(settings)
    assert KEY not in str(rows)


def test_a_server_without_a_key(tmp_path: Path):
    assert load(tmp_path, WHOLE).adviser_key is None


@pytest.mark.parametrize("name", ["base_url", "model", "input_price", "output_price"])
def test_what_asking_a_model_needs(tmp_path: Path, name: str):
    text = "\n".join(line for line in WHOLE.splitlines() if not line.startswith(name))
    problem = only(problems_of(tmp_path, text))
    assert (problem.code, problem.where) == ("CONFIG_MISSING", f"adviser.{name}")
    assert problems_of(tmp_path, text.replace("enabled = true", "enabled = false")) == []


def test_a_recording_needs_its_model_only(tmp_path: Path):
    text = '[adviser]\nenabled = true\ntape = "replay"\nmodel = "m"\n'
    assert load(tmp_path, text).adviser.tape == "replay"
    assert only(problems_of(tmp_path, text.replace('model = "m"\n', ""))).where == "adviser.model"


def test_the_band_is_the_domain_s_and_takes_what_is_written(tmp_path: Path):
    assert AdviserSection().band() == Band()
    text = '[adviser]\nrate_max = 3\nahead_pct_max = 2.5\nstrategies = ["twap"]\ncancel_allowed = true\n'
    band = load(tmp_path, text).adviser.band()
    assert band == Band(
        rate_max=Decimal(3), ahead_pct_max=Decimal("2.5"), strategies=("twap",), cancel_allowed=True
    )


def test_breaker_triggers_and_bridge_are_the_domain_s_and_take_what_is_written(tmp_path: Path):
    usual = AdviserSection()
    assert (usual.breaker(), usual.triggers(), usual.alike()) == (BreakerRules(), Triggers(), Tolerance())
    adviser = load(
        tmp_path,
        with_lines(
            "breaker_failures_max = 5",
            "breaker_open_s = 60",
            "breaker_growth = 3",
            "trigger_spread_times = 2.5",
            "trigger_drought_s = 90",
            "bridge_mid_bps_max = 0",
        ),
    ).adviser
    assert adviser.breaker() == BreakerRules(failures_max=5, open_s=60, growth=3)
    assert adviser.triggers() == Triggers(spread_times=Decimal("2.5"), drought_s=90)
    assert adviser.alike() == Tolerance(mid_bps_max=Decimal(0))


def test_every_term_of_the_engine_comes_from_the_settings(tmp_path: Path):
    text = with_lines(
        'model_aliases = ["mini"]', "interval_s = 31", "min_gap_s = 11", "deadline_s = 3.5", "questions_max = 2",
        "prompt_bytes_max = 20000", "max_tokens = 100", "reasoning_tokens_max = 0", 'fallback_strategy = "vwap"',
        "hour_calls_max = 7", "rate_max = 3", "breaker_probe_s = 99", "trigger_schedule_pct = 7",
        "bridge_spread_bps_max = 9",
    )  # fmt: skip
    section = load(tmp_path, text).adviser
    terms = terms_of(section, "f" * 64)
    usual = AdviserTerms(model="other", caps=AdviserSection().caps(), prices=Prices(
        prompt=Decimal(0), cached=Decimal(0), completion=Decimal(0)))  # fmt: skip
    same = [field.name for field in fields(terms) if getattr(terms, field.name) == getattr(usual, field.name)]
    assert same == [], "a term that cannot be written"
    assert (terms.deadline_ms, terms.min_gap_s, terms.tokens_max) == (3_500, 11, 100)


def test_only_a_model_that_is_asked_has_use_for_a_key(tmp_path: Path):
    text = '[adviser]\nenabled = true\ntape = "replay"\nmodel = "m"\n'
    settings = load(tmp_path, text, {ENV: KEY})
    assert (settings.adviser.asks, settings.adviser_key) == (False, None)
    assert load(tmp_path, WHOLE, {ENV: KEY}).adviser.asks


def test_caps_and_prices_as_the_budget_takes_them(tmp_path: Path):
    adviser = load(tmp_path, WHOLE).adviser
    assert adviser.prices() == Prices(
        prompt=Decimal("0.15"), cached=Decimal("0.15"), completion=Decimal("0.6")
    )
    adviser = load(tmp_path, with_lines("cached_price = 0.075", "parent_cost_max = 0.5")).adviser
    assert adviser.prices() == Prices(
        prompt=Decimal("0.15"), cached=Decimal("0.075"), completion=Decimal("0.6")
    )
    assert adviser.caps().parent_cost_max == Decimal("0.5")
    assert adviser.caps().day_calls_max == 1_500
    assert AdviserSection().prices() is None


def test_the_operator_knows_better_what_a_model_can_do(tmp_path: Path):
    by_name = AdviserSection().model_copy(update={"model": "gpt-5-mini"}).capabilities()
    assert (by_name.tokens_key, by_name.system_role) == (
        TokensKey.MAX_COMPLETION_TOKENS,
        SystemRole.DEVELOPER,
    )
    text = with_lines(
        'capabilities_on = ["sends_think"]',
        'capabilities_off = ["json_schema", "seed"]',
        'tokens_key = "max_completion_tokens"',
        'system_role = "user"',
    )
    known = load(tmp_path, text).adviser.capabilities()
    assert known.able == {
        Capability.JSON_OBJECT,
        Capability.TEMPERATURE,
        Capability.TOOLS,
        Capability.SENDS_THINK,
    }
    assert (known.tokens_key, known.system_role) == (TokensKey.MAX_COMPLETION_TOKENS, SystemRole.USER)


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ('model = "a model"', "CONFIG_MODEL"),
        ('model = ""', "CONFIG_MODEL"),
        ('model_aliases = ["a b"]', "CONFIG_LIST"),
        ('capabilities_on = ["json"]', "CONFIG_LIST"),
        ('tokens_key = "tokens"', "CONFIG_CHOICE"),
        ('system_role = "assistant"', "CONFIG_CHOICE"),
        ('strategies = ["pov"]', "CONFIG_LIST"),
        ('fallback_strategy = "pov"', "CONFIG_CHOICE"),
        ('tape = "record"', "CONFIG_CHOICE"),
        ('news_sources = ["ftp://a/b"]', "CONFIG_LIST"),
        ("interval_s = 4", "CONFIG_NUMBER"),
        ("deadline_s = 0", "CONFIG_NUMBER"),
        ("deadline_s = -1", "CONFIG_NUMBER"),
        ("min_gap_s = 0", "CONFIG_NUMBER"),
        ("min_gap_s = 1.5", "CONFIG_NUMBER"),
        ("questions_max = 0", "CONFIG_NUMBER"),
        ("prompt_bytes_max = 17999", "CONFIG_NUMBER"),
        ("breaker_failures_max = 0", "CONFIG_NUMBER"),
        ("breaker_growth = 0", "CONFIG_NUMBER"),
        ("trigger_spread_times = 0.5", "CONFIG_NUMBER"),
        ("trigger_drought_s = 0", "CONFIG_NUMBER"),
        ("bridge_mid_bps_max = -1", "CONFIG_NUMBER"),
        ("bridge_progress_pct_max = 101", "CONFIG_NUMBER"),
        ('template_file = ""', "CONFIG_PATH"),
        ("max_tokens = 0", "CONFIG_NUMBER"),
        ("confidence_min = 1.1", "CONFIG_NUMBER"),
        ("rate_min = 0", "CONFIG_NUMBER"),
        ("rate_min = 1.5", "CONFIG_NUMBER"),
        ("rate_max = 0.9", "CONFIG_NUMBER"),
        ("slice_times_max = 0.5", "CONFIG_NUMBER"),
        ("ahead_pct_max = 101", "CONFIG_NUMBER"),
        ("act_until_pct = 101", "CONFIG_NUMBER"),
        ("hour_calls_max = 0", "CONFIG_NUMBER"),
        ("cached_price = -1", "CONFIG_NUMBER"),
        ("day_cost_max = 1e3", "CONFIG_NUMBER"),
        ('cancel_allowed = "no"', "CONFIG_BOOL"),
    ],
)
def test_each_setting_has_its_error(tmp_path: Path, line: str, code: str):
    problem = only(problems_of(tmp_path, f"[adviser]\n{line}\n"))
    assert problem.code == code
    assert problem.where.endswith("extra.toml:2")


@pytest.mark.parametrize(
    ("lines", "first", "second"),
    [
        (["deadline_s = 11"], "adviser.deadline_s", "limits.advice_timeout_s_max"),
        (["interval_s = 5", "deadline_s = 6", "min_gap_s = 5"], "adviser.deadline_s", "adviser.interval_s"),
        (["min_gap_s = 61"], "adviser.min_gap_s", "adviser.interval_s"),
        (["wait_s_max = 121"], "adviser.wait_s_max", "adviser.hold_s_max"),
        (["breaker_open_s = 1801"], "adviser.breaker_open_s", "adviser.breaker_open_s_max"),
        (["breaker_probe_s = 3"], "adviser.deadline_s", "adviser.breaker_probe_s"),
        (["parent_cost_max = 21"], "adviser.parent_cost_max", "adviser.day_cost_max"),
        (["hour_cost_max = 20.01"], "adviser.hour_cost_max", "adviser.day_cost_max"),
        (["hour_calls_max = 1501"], "adviser.hour_calls_max", "adviser.day_calls_max"),
        (["parent_calls_max = 1501"], "adviser.parent_calls_max", "adviser.day_calls_max"),
        (
            ['capabilities_on = ["seed"]', 'capabilities_off = ["seed", "json_schema"]'],
            "adviser.capabilities_on",
            "adviser.capabilities_off",
        ),
    ],
)
def test_contradictions_of_the_section_name_both_keys(
    tmp_path: Path, lines: list[str], first: str, second: str
):
    problem = only(problems_of(tmp_path, "[adviser]\n" + "\n".join(lines) + "\n"))
    assert problem.code == "CONFIG_CONFLICT"
    assert f"{first} (" in problem.where
    assert f"{second} (" in problem.where


@pytest.mark.parametrize("name", ["parent_cost_max", "hour_cost_max", "day_cost_max"])
def test_a_cap_of_nothing_forbids_every_question_of_a_model_with_a_price(tmp_path: Path, name: str):
    problems = problems_of(tmp_path, with_lines(f"{name} = 0"))
    found = [problem for problem in problems if "no question is ever asked" in problem.allowed]
    assert [problem.code for problem in found] == ["CONFIG_CONFLICT"]
    assert f"adviser.{name} (" in found[0].where
    free = WHOLE.replace("0.15", "0").replace("0.6", "0") + "parent_cost_max = 0\nhour_cost_max = 0\n"
    assert problems_of(tmp_path, free + "day_cost_max = 0\n") == []


def test_a_setting_that_is_refused_hides_no_contradiction_between_others(tmp_path: Path):
    problems = problems_of(tmp_path, with_lines("hour_calls_max = 0", "day_cost_max = 0", "min_gap_s = 61"))
    told = [(problem.code, problem.where) for problem in problems]
    assert sum(code == "CONFIG_NUMBER" for code, _ in told) == 1
    pairs = [where for code, where in told if code == "CONFIG_CONFLICT"]
    assert any("adviser.hour_cost_max (" in where and "adviser.day_cost_max (" in where for where in pairs)
    assert any("adviser.min_gap_s (" in where for where in pairs)
    assert not any("hour_calls_max" in where for where in pairs)


def test_a_refused_setting_is_in_no_contradiction_by_its_default(tmp_path: Path):
    problem = only(problems_of(tmp_path, '[adviser]\ninterval_s = "often"\nmin_gap_s = 100\n'))
    assert problem.code == "CONFIG_NUMBER"


@pytest.mark.parametrize("end", ["/chat/completions", "/chat/completions/", "/models", "/completions"])
def test_an_address_with_what_a_client_adds_is_refused_with_the_right_one(tmp_path: Path, end: str):
    problem = only(problems_of(tmp_path, WHOLE.replace("/v1/", f"/v1{end}")))
    assert problem.code == "CONFIG_HOST"
    assert problem.next_step == 'write base_url = "https://llm.example.com/v1"'


@pytest.mark.parametrize(
    "url",
    [
        "https://api.openai.com/v1",
        "https://llm.example.com:8443/openai/v1/",
        "http://127.0.0.1:11434/v1",
        "http://[::1]:1234/v1",
        "http://localhost:1234/v1",
        "http://ollama:11434/v1",
        "http://192.168.1.20:8000/v1",
        "http://10.0.0.3/v1",
    ],
)
def test_addresses_of_models(url: str):
    assert why_not_model_url(url) is None


@pytest.mark.parametrize(
    "url",
    [
        "",
        "api.openai.com/v1",
        "ftp://api.openai.com/v1",
        "http://api.openai.com/v1",
        "http://8.8.8.8/v1",
        "https://bob:hunter22@api.openai.com/v1",
        "https://key@api.openai.com/v1",
        "https://api.openai.com/v1?key=hunter22",
        "https://api.openai.com/v1#x",
        "https://",
        "https://a b/v1",
        "https://api.openai.com:99999/v1",
        "https://[::1/v1",
        "https://\N{CYRILLIC SMALL LETTER A}pi.openai.com/v1",
        "https://a/" + "v" * 600,
    ],
)
def test_addresses_that_are_none(tmp_path: Path, url: str):
    assert why_not_model_url(url)
    problem = only(problems_of(tmp_path, f'[adviser]\nbase_url = "{url}"\n'))
    assert problem.code == "CONFIG_HOST"
    assert "bob:hunter22" not in problem.line()


@pytest.mark.parametrize(
    ("source", "fine"),
    [
        ("https://news.example.com/rss?topic=btc", True),
        ("http://127.0.0.1:80/feed", True),
        ("/var/lib/news.jsonl", True),
        ("feeds/desk.xml", True),
        ("https://me:secret@news.example.com/rss", False),
        ("file:///etc/passwd", False),
        ("gopher://x/y", False),
        ("/etc/passwd", False),
        ("", False),
        ("a\nb.xml", False),
        ("https://", False),
    ],
)
def test_sources_of_news(source: str, fine: bool):
    assert (why_not_news_source(source) is None) is fine


@pytest.mark.parametrize(
    ("value", "code"),
    [
        ("", "SECRET_EMPTY"),
        ("  ", "SECRET_EMPTY"),
        (f"{KEY}\n", "SECRET_BLANK"),
        (f"'{KEY}'", "SECRET_QUOTED"),
        (f"{KEY[:15]} {KEY[15:]}", "SECRET_FORM"),
        (f"{KEY}\N{LATIN SMALL LETTER E WITH ACUTE}", "SECRET_FORM"),
        (KEY[:7], "SECRET_LENGTH"),
        (KEY * 20, "SECRET_LENGTH"),
    ],
)
def test_keys_that_cannot_be_one(tmp_path: Path, value: str, code: str):
    problem = only(problems_of(tmp_path, WHOLE, {ENV: value}))
    assert (problem.code, problem.where) == (code, f"environment {ENV}")
    assert KEY[:8] not in problem.line()


@pytest.mark.parametrize("name", ["BYBIT_API_KEY", "BYBIT_API_SECRET"])
def test_a_key_of_the_exchange_never_goes_to_a_model(tmp_path: Path, name: str):
    environ = LIVE_ENV | {ENV: LIVE_ENV[name]}
    problem = only(problems_of(tmp_path, MONEY + WHOLE, environ, "live"))
    assert (problem.code, name in problem.got) == ("SECRET_SHARED", True)
    assert LIVE_ENV[name] not in problem.line()


def key_file(tmp_path: Path, text: str, mode: int = 0o600) -> str:
    path = tmp_path / "model-key"
    path.write_text(text)
    path.chmod(mode)
    return f'api_key_file = "{path}"'


def test_a_key_from_a_file(tmp_path: Path):
    given = load(tmp_path, with_lines(key_file(tmp_path, f"{KEY}\n"))).adviser_key
    assert given is not None
    assert (given.key.reveal(), given.origin) == (KEY, f"file {tmp_path / 'model-key'}")


@pytest.mark.parametrize(
    ("text", "mode", "code"),
    [
        (KEY, 0o644, "SECRET_MODE"),
        ("", 0o600, "SECRET_EMPTY"),
        (f"{KEY}\nmore", 0o600, "SECRET_FORM"),
        (f"{KEY} ", 0o600, "SECRET_BLANK"),
    ],
)
def test_bad_key_files(tmp_path: Path, text: str, mode: int, code: str):
    problem = only(problems_of(tmp_path, with_lines(key_file(tmp_path, text, mode))))
    assert problem.code == code
    assert KEY[:8] not in problem.line()


def test_two_places_for_the_key_are_one_too_many(tmp_path: Path):
    problem = only(problems_of(tmp_path, with_lines(key_file(tmp_path, KEY)), {ENV: KEY}))
    assert problem.code == "SECRET_TWICE"


def test_the_key_in_a_settings_file_is_warned_of_and_not_shown(tmp_path: Path):
    problem = only(problems_of(tmp_path, with_lines(f'api_key = "{KEY}"')))
    assert problem.code == "SECRET_INLINE"
    assert ENV in problem.allowed
    assert "BYBIT" not in problem.allowed
    assert KEY[:8] not in problem.line()


def test_the_key_pasted_into_another_setting_is_masked(tmp_path: Path):
    problem = only(problems_of(tmp_path, f'[log]\nlevel = "{KEY}"\n', {ENV: KEY}))
    assert KEY not in problem.line()
