"""C4 to C8, C10, C12, C13, C15, C18: values that are missing, of another form, or contradict each other."""

from decimal import Decimal
from pathlib import Path

import pytest
from config_files import LIVE_ENV, MONEY, load, only, problems_of
from hypothesis import given
from hypothesis import strategies as st

from config import forms
from config.problems import ConfigProblems
from config.schema import SECTIONS
from config.settings import effective
from executor.domain.limits import MONEY_LIMITS, Limits, Timings


@pytest.mark.parametrize(
    "value",
    [
        "1e3",
        "nan",
        "inf",
        "-1",
        "+1",
        "0",
        '"1,000"',
        "1_000",
        "0x10",
        "0o17",
        "0.1000000000000000055511151231257827",
        "9" * 40,
        "true",
        "[1]",
        '" 1"',
        '"1 "',
        '"\N{ARABIC-INDIC DIGIT ONE}"',
        '""',
        "1979-05-27",
        "{ a = 1 }",
    ],
)
def test_numbers_of_another_form_are_refused(tmp_path: Path, value: str):
    problem = only(problems_of(tmp_path, f"[limits]\nday_loss_max = {value}\n"))
    assert problem.code == "CONFIG_NUMBER"
    assert problem.where.endswith("extra.toml:2")
    assert problem.got.startswith("limits.day_loss_max = ")


@pytest.mark.parametrize("value", ["0.1", '"0.1"', "0.10"])
def test_decimals_stay_exact(tmp_path: Path, value: str):
    limits = load(tmp_path, f"[limits]\nparticipation_pct_max = {value} # per cent\n").limits
    assert limits.participation_pct_max == Decimal("0.1")


@pytest.mark.parametrize("value", ["2.5", '"3"', "1_0", "0", "-1", "1e1", "true"])
def test_whole_numbers_are_bare_digits(tmp_path: Path, value: str):
    assert only(problems_of(tmp_path, f"[limits]\norders_per_s_max = {value}\n")).code == "CONFIG_NUMBER"


@pytest.mark.parametrize(
    "value", ['"5"', '"5 min"', '"-1s"', '"10y"', "15", '"15S"', '"1.5s"', '"21s"', '"0s"']
)
def test_durations_need_their_unit_and_range(tmp_path: Path, value: str):
    problem = only(problems_of(tmp_path, f"[shutdown]\ndrain = {value}\n"))
    assert problem.code == "CONFIG_DURATION"
    assert "s, m or h" in problem.allowed


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ('[log]\nlevel = "INFO"\n', "CONFIG_CHOICE"),
        ("[log]\nlevel = 1\n", "CONFIG_CHOICE"),
        ('[shutdown]\npolicy = "ask"\n', "CONFIG_CHOICE"),
        ("[market]\nbook_depth = 25\n", "CONFIG_NUMBER"),
        ("[market]\nconflate_ms = 5\n", "CONFIG_NUMBER"),
        ('[executor]\ndata_dir = ""\n', "CONFIG_PATH"),
        ('[executor]\ndata_dir = "a\\u001bb"\n', "CONFIG_PATH"),
        ('[executor]\ninstance = "Main"\n', "INSTANCE_ID"),
        ('[executor]\ninstance = "ninechars"\n', "INSTANCE_ID"),
        ('[executor]\ninstance = ""\n', "INSTANCE_ID"),
        ('[control]\nhost = "0.0.0.0"\n', "API_BIND"),
        ('[control]\nhost = "localhost"\n', "API_BIND"),
        ("[control]\nport = 70000\n", "CONFIG_NUMBER"),
        ("[timings]\nabsence_rounds = 1\n", "CONFIG_NUMBER"),
        ("[market]\nbook_depth = 500\n", "CONFIG_NUMBER"),
        ('[venue]\norder_entry = "ws"\n', "CONFIG_CHOICE"),
        ('[venue]\nposition_mode = "both"\n', "CONFIG_CHOICE"),
        ("[venue]\ndcp_window_s = 2\n", "CONFIG_NUMBER"),
        ("[venue]\ndcp_window_s = 301\n", "CONFIG_NUMBER"),
        ('[venue]\ndcp_window_s = "10"\n', "CONFIG_NUMBER"),
        ("[sentinel]\nsilence_s_max = 2\n", "CONFIG_CONFLICT"),
        ("[sentinel]\nsilence_s_max = 61\n", "CONFIG_CONFLICT"),
        ("[references]\npoll_s = 0\n", "CONFIG_NUMBER"),
        ("[limits]\nreferences_min = 9\n", "CONFIG_NUMBER"),
        ("[limits]\nreference_gap_bps_max = 0\n", "CONFIG_NUMBER"),
    ],
)
def test_each_other_kind_has_its_error(tmp_path: Path, text: str, code: str):
    assert only(problems_of(tmp_path, text)).code == code


@pytest.mark.parametrize("value", ['"false"', '"true"', "1", "0", '"yes"', '"on"', "[true]", '""'])
def test_booleans_are_two_bare_words(tmp_path: Path, value: str):
    problem = only(problems_of(tmp_path, f"[sentinel]\nenabled = {value}\n"))
    assert (problem.code, problem.allowed) == ("CONFIG_BOOL", "true or false, without quotes")
    assert problem.where.endswith("extra.toml:2")


@pytest.mark.parametrize("value", ["yes", "on", "True", "FALSE"])
def test_other_words_for_a_boolean_are_no_toml(tmp_path: Path, value: str):
    assert only(problems_of(tmp_path, f"[sentinel]\nenabled = {value}\n")).code == "CONFIG_SYNTAX"
    in_environment = only(problems_of(tmp_path, environ={"EXECUTOR_SENTINEL__ENABLED": value}))
    assert (in_environment.code, in_environment.where) == (
        "CONFIG_BOOL",
        "environment EXECUTOR_SENTINEL__ENABLED",
    )


def test_booleans_of_both_sources(tmp_path: Path):
    assert load(tmp_path, "[venue]\nallow_unbound_key = true # for once\n").venue.allow_unbound_key is True
    settings = load(tmp_path, environ={"EXECUTOR_SENTINEL__ENABLED": "false"})
    assert settings.sentinel.enabled is False
    assert {row.key: row.value for row in effective(settings)}["sentinel.enabled"] == "false"


@pytest.mark.parametrize(
    "value",
    [
        '"binance"',
        "3",
        "[3]",
        "[1.5]",
        "[[]]",
        '["Binance"]',
        '["bybit"]',
        '["okx", "okx"]',
        '["okx", "bin ance"]',
        '["okx", ""]',
        '["okx,kraken"]',
        str([f"exchange{number}" for number in range(9)]),
    ],
)
def test_lists_hold_few_different_words(tmp_path: Path, value: str):
    problem = only(problems_of(tmp_path, f"[references]\nexchanges = {value}\n"))
    assert problem.code == "CONFIG_LIST"
    assert problem.where.endswith("extra.toml:2")
    assert "at most 8" in problem.allowed


@pytest.mark.parametrize(
    ("text", "environ", "expected"),
    [
        ('["binance", "okx"]', {}, ("binance", "okx")),
        ('[\n  "binance",\n]', {}, ("binance",)),
        ("[]", {}, ()),
        ("[]", {"EXECUTOR_REFERENCES__EXCHANGES": "okx,kraken"}, ("okx", "kraken")),
        ('["okx"]', {"EXECUTOR_REFERENCES__EXCHANGES": ""}, ()),
    ],
)
def test_lists_of_both_sources(tmp_path: Path, text: str, environ: dict[str, str], expected: tuple[str, ...]):
    settings = load(tmp_path, f"[references]\nexchanges = {text}\n", environ)
    assert settings.references.exchanges == expected
    shown = {row.key: row.value for row in effective(settings)}["references.exchanges"]
    assert shown == (", ".join(expected) or "none")


def test_demo_takes_no_orders_over_a_connection(tmp_path: Path):
    text = '[venue]\norder_entry = "websocket"\n'
    problem = only(problems_of(tmp_path, text, profile="demo"))
    assert (problem.code, problem.got) == ("CONFIG_CONFLICT", "demo and websocket")
    assert "executor.mode (" in problem.where
    assert "venue.order_entry (" in problem.where
    assert load(tmp_path, text, profile="testnet").venue.order_entry == "websocket"


@pytest.mark.parametrize("value", ["1", "50", "200", "1000"])
def test_every_depth_the_venue_streams_may_be_read(tmp_path: Path, value: str):
    assert load(tmp_path, f"[market]\nbook_depth = {value}\n").market.book_depth == int(value)


@pytest.mark.parametrize("value", ["0", "3", "300"])
def test_the_window_of_the_venue_is_off_or_in_its_range(tmp_path: Path, value: str):
    assert load(tmp_path, f"[venue]\ndcp_window_s = {value}\n").venue.dcp_window_s == int(value)


@pytest.mark.parametrize(
    ("text", "first", "second"),
    [
        ("[limits]\nchild_notional_max = 600000\n", "limits.child_notional_max", "limits.open_notional_max"),
        ("[limits]\nday_notional_max = 5\n", "limits.child_notional_max", "limits.day_notional_max"),
        (
            "[limits]\nposition_notional_max = 5\n",
            "limits.child_notional_max",
            "limits.position_notional_max",
        ),
        ("[limits]\norders_per_min_max = 1\n", "limits.orders_per_s_max", "limits.orders_per_min_max"),
        ("[limits]\norders_per_day_max = 3\n", "limits.orders_per_min_max", "limits.orders_per_day_max"),
        (
            "[limits]\nprice_collar_bps_max = 1\n",
            "limits.price_collar_bps_max",
            "limits.cross_spread_bps_max",
        ),
        (
            "[timings]\nreconcile_s = 5\nquery_gap_s = 9\n",
            "timings.reconcile_s",
            "timings.query_gap_s",
        ),
        (
            "[timings]\nabsence_margin_s = 4\n",
            "timings.absence_margin_s",
            "timings.recv_window_ms",
        ),
        (
            "[limits]\nsecond_opinion_age_s_max = 1\n",
            "limits.second_opinion_age_s_max",
            "references.poll_s",
        ),
        ("[limits]\nreferences_min = 3\n", "limits.references_min", "references.exchanges"),
    ],
)
def test_contradictions_name_both_keys(tmp_path: Path, text: str, first: str, second: str):
    problem = only(problems_of(tmp_path, text))
    assert problem.code == "CONFIG_CONFLICT"
    assert f"{first} (" in problem.where
    assert f"{second} (" in problem.where
    assert "extra.toml:2" in problem.where


@pytest.mark.parametrize(("key", "value"), [("price_collar_bps_max", "0"), ("price_collar_bps_max", "2001")])
def test_a_collar_of_nothing_or_of_a_fifth_is_a_contradiction(tmp_path: Path, key: str, value: str):
    assert only(problems_of(tmp_path, f"[limits]\n{key} = {value}\n")).code == "CONFIG_CONFLICT"


def test_no_gap_between_orders_is_a_contradiction(tmp_path: Path):
    assert only(problems_of(tmp_path, "[limits]\norder_gap_s_min = 0\n")).code == "CONFIG_CONFLICT"


def test_fewer_orders_a_minute_than_sixty_times_a_second_is_fine(tmp_path: Path):
    assert load(tmp_path, "[limits]\norders_per_s_max = 2\norders_per_min_max = 20\n")


@pytest.mark.parametrize("name", MONEY_LIMITS)
def test_live_has_no_default_for_any_money_limit(tmp_path: Path, name: str):
    text = "\n".join(line for line in MONEY.splitlines() if not line.startswith(name))
    problem = only(problems_of(tmp_path, text, LIVE_ENV, "live"))
    assert (problem.code, problem.where) == ("CONFIG_MISSING", f"limits.{name}")


def test_live_needs_both_signs(tmp_path: Path):
    without = {name: value for name, value in LIVE_ENV.items() if name != "EXECUTOR_LIVE_CONFIRM"}
    problem = only(problems_of(tmp_path, MONEY, without, "live"))
    assert problem.code == "LIVE_NOT_CONFIRMED"
    assert 'mode = "live"' in problem.allowed
    assert "live.toml:" in problem.where
    assert "1 of 2 signs" in problem.got
    assert "EXECUTOR_LIVE_CONFIRM=I-TRADE-REAL-MONEY" in problem.next_step
    assert only(problems_of(tmp_path, MONEY, without | {"EXECUTOR_LIVE_CONFIRM": "yes"}, "live"))
    assert load(tmp_path, MONEY, without, "live", yes_live=True).executor.mode == "live"
    assert load(tmp_path, MONEY, LIVE_ENV, "live").limits.day_loss_max == Decimal(1000)


def test_live_chosen_by_the_environment_alone_lacks_the_sign_in_the_file(tmp_path: Path):
    environ = LIVE_ENV | {"EXECUTOR_EXECUTOR__MODE": "live"}
    path = tmp_path / "own.toml"
    path.write_text('[executor]\ndata_dir = "x"\n')
    problems = problems_of(tmp_path, MONEY, environ, path)
    assert [problem.code for problem in problems] == ["LIVE_NOT_CONFIRMED"]
    assert "the one in a file" in problems[0].got
    assert "--profile live" in problems[0].next_step
    assert "EXECUTOR_LIVE_CONFIRM" not in problems[0].next_step, "that sign was given"


@pytest.mark.parametrize(
    ("profile", "url"),
    [
        ("live", "https://api-testnet.bybit.com"),
        ("live", "http://api.bybit.com"),
        ("live", "https://1.2.3.4"),
        ("live", "https://api.bybit.com.evil.example"),
        ("live", "https://bob:hunter22@api.bybit.com"),
        ("live", "https://api.bybit.com:8443"),
        ("live", "https://api.bybit.com/v5"),
        ("live", "https://api.bybit.com?x=1"),
        ("live", "http://127.0.0.1:8765"),
        ("testnet", "https://api.bybit.com"),
        ("demo", "https://api.bybit.com"),
        ("sandbox", "https://api.bybit.com"),
        ("sandbox", "http://10.0.0.1:8765"),
        ("sandbox", "http://127.0.0.1"),
        ("sandbox", "https://127.0.0.1:8765"),
        ("sandbox", "nonsense"),
        ("sandbox", "http://[::1"),
        ("sandbox", "http://127.0.0.1:99999"),
    ],
)
def test_each_mode_reaches_its_own_hosts_only(tmp_path: Path, profile: str, url: str):
    text = f'{MONEY}\n[venue]\nrest_url = "{url}"\n'
    problem = only(problems_of(tmp_path, text, LIVE_ENV, profile))
    assert problem.code == "CONFIG_HOST"
    assert profile in problem.got
    assert "hunter22" not in problem.line()


@pytest.mark.parametrize("name", ["public_ws_url", "private_ws_url"])
def test_streams_have_their_own_hosts(tmp_path: Path, name: str):
    problem = only(problems_of(tmp_path, f'[venue]\n{name} = "wss://stream-testnet.bybit.com"\n', {}, "demo"))
    assert problem.code == "CONFIG_HOST"
    assert f"venue.{name}" in problem.got


def test_addresses_follow_the_mode_when_not_given(tmp_path: Path):
    path = tmp_path / "own.toml"
    path.write_text('[executor]\nmode = "demo"\n')
    venue = load(tmp_path, profile=path).venue
    assert venue.rest_url == "https://api-demo.bybit.com"
    assert venue.public_ws_url == "wss://stream.bybit.com"
    assert venue.private_ws_url == "wss://stream-demo.bybit.com"


@pytest.mark.parametrize(
    "name", ["EXECUTOR_LIMITS__DAY_LOS_MAX", "EXECUTOR_LIMITS_DAY_LOSS_MAX", "EXECUTOR_limits__day_loss_max"]
)
def test_unknown_environment_names_are_errors(tmp_path: Path, name: str):
    problem = only(problems_of(tmp_path, environ={name: "s3cr3t-value"}))
    assert problem.code == "CONFIG_ENV_UNKNOWN"
    assert problem.allowed == "nearest name: EXECUTOR_LIMITS__DAY_LOSS_MAX"
    assert "s3cr3t-value" not in problem.line()


def test_names_that_are_no_settings_are_left_alone(tmp_path: Path):
    environ = dict.fromkeys(("EXECUTOR_PROFILE", "EXECUTOR_CAMPAIGN", "EXECUTOR_REAL_DATA", "PATH"), "x")
    assert load(tmp_path, environ=environ)


def test_an_empty_environment_value_is_a_value(tmp_path: Path):
    problem = only(problems_of(tmp_path, environ={"EXECUTOR_LOG__LEVEL": ""}))
    assert (problem.code, problem.where) == ("CONFIG_CHOICE", "environment EXECUTOR_LOG__LEVEL")


def test_each_layer_overrides_the_one_before_and_says_so(tmp_path: Path):
    text = '[limits]\nday_loss_max = 7\nopen_notional_max = 200000\n[log]\nlevel = "debug"\n'
    settings = load(tmp_path, text, {"EXECUTOR_LIMITS__DAY_LOSS_MAX": "9.5"})
    rows = {row.key: (row.value, row.origin) for row in effective(settings)}
    extra = str(tmp_path / "extra.toml")
    assert rows["limits.day_loss_max"] == ("9.5", "environment EXECUTOR_LIMITS__DAY_LOSS_MAX")
    assert rows["limits.open_notional_max"] == ("200000", f"{extra}:3")
    assert rows["log.level"] == ("debug", f"{extra}:5")
    assert rows["limits.child_notional_max"] == ("100000", "default")
    assert rows["executor.mode"][1].endswith("sandbox.toml:7")
    assert rows["credentials.api_secret"] == ("********", "default")
    assert len(rows) == sum(len(model.model_fields) for model in SECTIONS.values()) + 3


@pytest.mark.parametrize("profile", ["sandbox", "testnet", "demo"])
def test_the_profiles_load_and_name_themselves(tmp_path: Path, profile: str):
    settings = load(tmp_path, profile=profile)
    assert settings.executor.mode == profile
    assert settings.executor.data_dir == Path("var") / {"demo": "bybit-demo"}.get(profile, profile)


def test_the_live_profile_alone_lists_all_that_is_missing(tmp_path: Path):
    codes = [problem.code for problem in problems_of(tmp_path, profile="live")]
    assert codes == ["LIVE_NOT_CONFIRMED"] + ["CONFIG_MISSING"] * len(MONEY_LIMITS)


def test_the_schema_has_every_field_of_the_domain_with_its_default(tmp_path: Path):
    assert SECTIONS["limits"]().model_dump() == {name: getattr(Limits(), name) for name in Limits.__slots__}
    assert SECTIONS["timings"]().model_dump() == {
        name: getattr(Timings(), name) for name in Timings.__slots__
    }
    assert load(tmp_path).limits == Limits()
    assert load(tmp_path).timings == Timings()


def test_problems_have_a_form_for_machines(tmp_path: Path):
    with pytest.raises(ConfigProblems) as caught:
        load(tmp_path, "[log]\nlevel = 1\n")
    (problem,) = caught.value.problems
    assert set(problem.record()) == {"code", "where", "got", "allowed", "next"}


@given(st.text(max_size=40) | st.from_regex(r"[0-9]{1,20}(\.[0-9]{0,20})?", fullmatch=True))
def test_number_reading_never_guesses(text: str):
    if not is_plain(text):
        with pytest.raises(ValueError, match="plain decimal"):
            forms.read_number(text)
    else:
        assert forms.read_number(text) == Decimal(text)


def is_plain(text: str) -> bool:
    whole, point, fraction = text.partition(".")
    parts = [whole, fraction] if point else [whole]
    return all(1 <= len(part) <= 18 and set(part) <= set("0123456789") for part in parts)


def test_problems_come_in_the_order_in_which_a_reader_meets_them(tmp_path: Path):
    text = (
        '[venue]\napi_secrt = 5\norder_entry = "rst"\n[limits]\nbogus = 1\nchild_notional_max = 9000000\n'
        '[sentinel]\nsilence_s_max = 1\n[executor]\nmode = "life"\n[nosuch]\nx = 1\n'
    )
    problems = problems_of(tmp_path, text, {"EXECUTOR_LOG__LEVEL": "loud"})
    lines = [problem.where.rpartition(":")[2] for problem in problems if "extra.toml:" in problem.where]
    assert lines[:6] == ["2", "3", "5", "8", "10", "12"]
    assert problems[6].where == "environment EXECUTOR_LOG__LEVEL"
    assert [problem.code for problem in problems[7:]] == ["CONFIG_CONFLICT"] * 2, "an unknown name hides none"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("[limits]\nprice_collar_bps_max = 5000\n", "0.1 to 2000: a collar of nothing"),
        ("[limits]\norder_gap_s_min = 0\n", "0.1 to 3600: without a gap"),
        ("[sentinel]\nsilence_s_max = 1\n", "3 to 60: the daemon beats once a second"),
        ("[control]\nport = 70000\n", "from 0 to 65535"),
        ("[venue]\ndcp_window_s = 2\n", "0 (off), or 3 to 300"),
    ],
)
def test_a_value_out_of_range_is_told_the_range_and_not_the_form_of_numbers(
    tmp_path: Path, text: str, why: str
):
    problem = only(problems_of(tmp_path, text))
    assert problem.allowed.startswith(why)
    assert problem.next_step == "choose a value inside the range"


def test_a_name_like_no_other_is_not_told_a_nearest_one(tmp_path: Path):
    problem = only(problems_of(tmp_path, "[limits]\nbogus = 1\n"))
    assert "configuration.md" in problem.allowed
